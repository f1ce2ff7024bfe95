//! `retake report`, and the pages and drawings that `encode` and `measure` make when they are done.

use crate::args::{Encode, Measure, Report as Args};
use crate::exit::{Stopped, Usage};
use crate::{output, signals};
use anyhow::Result;
use retake::report::{PictureLoss, check_report, save_report};
use retake::{Records, Report, StopFlag};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    // A folder of a job has its page where the film has it, whose name is that of the folder without its
    // ending.
    let film = match args.film.extension().is_some_and(|ending| ending == "retake") {
        true => args.film.with_extension(""),
        false => strip_ending(&args.film, ".retake.json"),
    };
    let page = match (&args.output, &args.plot) {
        (None, Some(_)) => None,
        (output, _) => Some(output.clone().unwrap_or_else(|| with_ending(&film, ".retake.html"))),
    };
    let wanted = Wanted { page, plot: args.plot.clone(), overwrite: args.overwrite };
    wanted.check(&[&args.film])?;
    let stop = signals::stop_flag(Stopped)?;
    make(&wanted, &args.film, &stop)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes what is wanted of the records at a path.
fn make(wanted: &Wanted, records_of: &Path, stop: &StopFlag) -> Result<()> {
    let records = Records::open(records_of)?;
    let mut report = records.report();
    let added = match wanted.page {
        Some(_) => records.add_pictures(&mut report, records_of.parent(), stop),
        // a drawing has no pictures
        None => Ok(()),
    };
    if stop.is_raised() {
        return Err(Stopped.into());
    }
    wanted.note_loss(&mut report, added.err());
    let file = match records_of.is_file() && records_of.extension().is_some_and(|ending| ending == "json") {
        true => records_of.to_owned(),
        false => with_ending(records_of, ".retake.json"),
    };
    if file.is_file() {
        report.data_file = file.file_name().map(|name| name.to_string_lossy().into_owned());
    }
    wanted.save(report, None)
}

/// What `encode` makes beside its film.
pub(crate) struct EncodeReport(Wanted);

impl EncodeReport {
    /// Returns what is asked for, and refuses what could not be made, before all the work.
    pub(crate) fn of(args: &Encode) -> Result<Option<Self>> {
        let beside = || with_ending(&args.output, ".retake.html");
        let page = args.report.as_ref().map(|page| page.clone().unwrap_or_else(beside));
        let elsewhere = args.engine().is_some();
        if elsewhere && args.serve.is_some() {
            return Err(
                Usage("--serve: an export that an engine runs is shown by `retake status`".into()).into()
            );
        }
        if page.is_none() && args.plot.is_none() {
            return Ok(None);
        }
        if args.keep_records.as_deref() == Some(Path::new("no")) {
            return Err(Usage(
                "--report and --plot are made of the records: leave out --keep-records no".into(),
            )
            .into());
        }
        if elsewhere {
            return Err(Usage(
                "--report and --plot: `retake report` makes them of a film that an engine has made".into(),
            )
            .into());
        }
        let wanted = Wanted { page, plot: args.plot.clone(), overwrite: args.overwrite };
        wanted.check(&[&args.input().to_owned(), &args.output])?;
        Ok(Some(Self(wanted)))
    }

    /// Makes it, now that the film is there.
    pub(crate) fn make(&self, args: &Encode, stop: &StopFlag) -> Result<()> {
        make(&self.0, args.keep_records.as_deref().unwrap_or(&args.output), stop)
    }
}

/// A page, a drawing, or both.
pub(crate) struct Wanted {
    page: Option<PathBuf>,
    plot: Option<PathBuf>,
    overwrite: bool,
}

impl Wanted {
    /// Returns what `measure` is asked for.
    pub(crate) fn of_measure(args: &Measure) -> Result<Option<Self>> {
        let beside = || with_ending(&args.film, ".measured.html");
        let page = args.report.as_ref().map(|page| page.clone().unwrap_or_else(beside));
        let wanted = Self { page, plot: args.plot.clone(), overwrite: args.overwrite };
        wanted.check(&[&args.reference, &args.film])?;
        Ok((wanted.page.is_some() || wanted.plot.is_some()).then_some(wanted))
    }

    /// Refuses places where something is that must not be replaced: the films themselves in any case.
    fn check(&self, films: &[&PathBuf]) -> Result<()> {
        for path in self.page.iter().chain(&self.plot) {
            check_page(path, films, self.overwrite)?;
        }
        if self.page.is_some() && self.page == self.plot {
            return Err(Usage("--plot: it is the file of the page".into()).into());
        }
        Ok(())
    }

    /// Tells on the page, and here, why it has no pictures.
    pub(crate) fn note_loss(&self, report: &mut Report, loss: Option<PictureLoss>) {
        if let (Some(loss), true) = (loss, self.page.is_some()) {
            report.notes.push(loss.to_string());
            output::complain(&format!("retake: note: {}\n", output::one_line(&loss.to_string())));
        }
    }

    /// Writes the files. `data` is what stands beside the page where nothing does yet.
    pub(crate) fn save(&self, mut report: Report, data: Option<&str>) -> Result<()> {
        if let Some(page) = &self.page {
            if let Some(data) = data {
                let file = page.with_extension("json");
                save_report(&file, data, self.overwrite)?;
                report.data_file = file.file_name().map(|name| name.to_string_lossy().into_owned());
            }
            save_report(page, &report.render(), self.overwrite)?;
        }
        if let Some(plot) = &self.plot {
            save_report(plot, &report.plot(), self.overwrite)?;
        }
        Ok(())
    }
}

/// Refuses a place for a page where something is that must not be replaced: a film in any case.
pub(crate) fn check_page(page: &Path, films: &[&PathBuf], overwrite: bool) -> Result<()> {
    let same = |film: &Path| {
        film == page || page.canonicalize().is_ok_and(|page| film.canonicalize().ok() == Some(page))
    };
    if films.iter().any(|film| same(film)) {
        let text = format!("{}: it is the film itself, so it cannot become a report", page.display());
        return Err(Usage(text).into());
    }
    Ok(check_report(page, overwrite)?)
}

pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn strip_ending(path: &Path, ending: &str) -> PathBuf {
    let name = path.to_str().and_then(|name| name.strip_suffix(ending));
    name.map_or_else(|| path.to_owned(), PathBuf::from)
}
