//! Profiles: groups of flags of `encode` under a name, in TOML.
//!
//! A profile becomes words of the command line before anything else sees it, so that a request, its records
//! and its job folder know of flags alone: a profile that changes later changes no job that was begun.

use crate::args::Profiles;
use crate::exit::{Usage, one_line};
use crate::output;
use anyhow::Result;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const BUILT_IN: &str = include_str!("profiles.toml");
/// A longer file is none of profiles.
const LONGEST: u64 = 1 << 20;
/// Flags that no profile has: those that say which film it is, and those that are about profiles or help.
const NOT_HERE: [&str; 5] = ["output", "profile", "profiles", "help", "help-all"];

/// Prints all the profiles, with what each sets.
pub(crate) fn run(args: &Profiles, encode: &Command) -> Result<ExitCode> {
    let all = load(args.profiles.as_deref())?;
    for profile in &all {
        profile.check(encode)?;
    }
    let words = |profile: &Profile| -> Vec<String> { profile.flags.iter().flat_map(Flag::words).collect() };
    if args.json {
        let list: Vec<_> = all
            .iter()
            .map(|profile| {
                let file = profile.file.as_ref().map(|file| file.to_string_lossy());
                serde_json::json!({"name": profile.name, "file": file, "flags": words(profile)})
            })
            .collect();
        output::print(&format!("{}\n", serde_json::json!({ "profiles": list })));
        return Ok(ExitCode::SUCCESS);
    }
    for profile in &all {
        let place = match &profile.file {
            Some(_) => profile.place(profile.line),
            None => "built in".to_owned(),
        };
        let heading = format!("{} ({place})", profile.name);
        output::print(&format!("{}\n", output::one_line(&heading)));
        for word in words(profile) {
            output::print(&format!("    {}\n", output::one_line(&word)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the words that stand for the profile that was asked for: its flags but for those that the command
/// line has itself, or that contradict one that it has.
pub(crate) fn words(
    name: &str,
    file: Option<&Path>,
    encode: &Command,
    given: &ArgMatches,
) -> Result<Vec<OsString>> {
    let all = load(file)?;
    let Some(profile) = all.iter().find(|profile| profile.name == name) else {
        let names: Vec<&str> = all.iter().map(|profile| profile.name.as_str()).collect();
        let text = format!("--profile {name}: there is none of that name: there are {}", names.join(", "));
        return Err(Usage(text).into());
    };
    profile.check(encode)?;
    let given: Vec<&Arg> = encode
        .get_arguments()
        .filter(|arg| given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine))
        .collect();
    let stays = |flag: &&Flag| {
        let arg = arg_of(encode, &flag.name);
        arg.is_some_and(|arg| {
            given.iter().all(|given| given.get_id() != arg.get_id() && !contradict(encode, given, arg))
        })
    };
    Ok(profile.flags.iter().filter(stays).flat_map(Flag::words).map(OsString::from).collect())
}

/// A group of flags.
#[derive(Debug)]
struct Profile {
    name: String,
    /// `None` is built in.
    file: Option<PathBuf>,
    /// Where it begins, from 1.
    line: usize,
    flags: Vec<Flag>,
}

/// A flag of a profile.
#[derive(Debug)]
struct Flag {
    name: String,
    line: usize,
    /// Its values; one without a value is `None`. A flag that is false has none.
    values: Vec<Option<String>>,
}

impl Flag {
    fn words(&self) -> Vec<String> {
        let word = |value: &Option<String>| match value {
            Some(value) => format!("--{}={value}", self.name),
            None => format!("--{}", self.name),
        };
        self.values.iter().map(word).collect()
    }
}

impl Profile {
    /// Returns the place of a line, as it is told.
    fn place(&self, line: usize) -> String {
        let file = self.file.as_deref().unwrap_or(Path::new("built-in profiles"));
        format!("{}:{line}", file.display())
    }

    fn wrong(&self, line: usize, what: impl fmt::Display) -> anyhow::Error {
        Usage(format!("{}: profile {}: {what}", self.place(line), self.name)).into()
    }

    /// Refuses flags that there are not, and values that they do not take.
    fn check(&self, encode: &Command) -> Result<()> {
        for flag in &self.flags {
            let arg = arg_of(encode, &flag.name)
                .ok_or_else(|| self.wrong(flag.line, format!("there is no flag --{} for it", flag.name)))?;
            let values = arg.get_num_args().unwrap_or_default();
            if !values.takes_values() && flag.values.iter().any(Option::is_some) {
                return Err(self.wrong(flag.line, format!("--{} is true or false", flag.name)));
            }
            if values.min_values() > 0 && flag.values.contains(&None) {
                return Err(self.wrong(flag.line, format!("--{} needs a value", flag.name)));
            }
            if flag.values.len() > 1 && !matches!(arg.get_action(), ArgAction::Append) {
                return Err(self.wrong(flag.line, format!("--{} takes one value", flag.name)));
            }
            if let Err(error) = try_words(encode, flag.words())
                && matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue)
            {
                return Err(self.wrong(flag.line, one_line(&error)));
            }
        }
        match try_words(encode, self.flags.iter().flat_map(Flag::words).collect()) {
            Err(error) if error.kind() == ErrorKind::ArgumentConflict => {
                Err(self.wrong(self.line, one_line(&error)))
            }
            // the command line may bring what is missing
            _ => Ok(()),
        }
    }
}

fn arg_of<'a>(encode: &'a Command, long: &str) -> Option<&'a Arg> {
    let known = encode.get_arguments().find(|arg| arg.get_long() == Some(long));
    known.filter(|_| !NOT_HERE.contains(&long))
}

/// Whether two flags cannot be given together.
fn contradict(encode: &Command, a: &Arg, b: &Arg) -> bool {
    let names =
        |a: &Arg, b: &Arg| encode.get_arg_conflicts_with(a).iter().any(|arg| arg.get_id() == b.get_id());
    let both = |ids: &[&clap::Id]| ids.contains(&a.get_id()) && ids.contains(&b.get_id());
    names(a, b)
        || names(b, a)
        || encode.get_groups().any(|group| {
            // a group knows only by a mutable call whether it takes several
            let several = group.clone().is_multiple();
            !several && both(&group.get_args().collect::<Vec<_>>())
        })
}

fn try_words(encode: &Command, words: Vec<String>) -> Result<ArgMatches, clap::Error> {
    let film = ["encode", "film.mkv", "--output=film.mp4"].map(str::to_owned);
    encode.clone().try_get_matches_from(film.into_iter().chain(words))
}

/// Loads all the profiles there are: a file's take the place of those that are built in.
fn load(file: Option<&Path>) -> Result<Vec<Profile>> {
    let mut all = parse(BUILT_IN, None)?;
    let usual = file.is_none().then(usual_file).flatten();
    if let Some(path) = file.or(usual.as_deref())
        && let Some(text) = read(path, file.is_some())?
    {
        let own = parse(&text, Some(path))?;
        all.retain(|built_in| own.iter().all(|profile| profile.name != built_in.name));
        all.extend(own);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Reads a file of profiles. One that is not there is none, unless it was asked for.
fn read(path: &Path, asked: bool) -> Result<Option<String>> {
    let failed = |error: io::Error| Usage(format!("{}: {error}", path.display()));
    let found = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !asked => return Ok(None),
        found => found.map_err(failed)?,
    };
    if !found.is_file() || found.len() > LONGEST {
        return Err(Usage(format!("{}: it is no file of profiles", path.display())).into());
    }
    Ok(Some(fs::read_to_string(path).map_err(failed)?))
}

/// The file that is read where none is named: `retake/profiles.toml` in the folder of settings.
fn usual_file() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let settings = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(settings.join("retake/profiles.toml"))
}

fn parse(text: &str, file: Option<&Path>) -> Result<Vec<Profile>> {
    let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    let named = file.map_or("built-in profiles".into(), Path::to_string_lossy);
    let wrong = |at: usize, what: String| anyhow::Error::from(Usage(format!("{named}:{}: {what}", line(at))));
    let tables = DeTable::parse(text).map_err(|error| {
        wrong(
            error.span().map_or(0, |span| span.start),
            error.message().lines().collect::<Vec<_>>().join(" "),
        )
    })?;
    let mut profiles = Vec::new();
    for (name, value) in tables.get_ref() {
        let at = name.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            let what = format!("{} stands in no profile: [NAME] begins one", name.get_ref());
            return Err(wrong(at, what));
        };
        let mut flags = Vec::new();
        for (key, value) in table {
            let values = values(value).ok_or_else(|| {
                let what = "a flag is a text, a number, true, false, or a list of texts and numbers";
                wrong(value.span().start, format!("profile {}: {}: {what}", name.get_ref(), key.get_ref()))
            })?;
            flags.push((key.span().start, key.get_ref().to_string(), values));
        }
        // in the order in which they stand there
        flags.sort_by_key(|(at, ..)| *at);
        let flags = flags.into_iter().map(|(at, name, values)| Flag { name, line: line(at), values });
        profiles.push(Profile {
            name: name.get_ref().to_string(),
            file: file.map(Path::to_owned),
            line: line(at),
            flags: flags.collect(),
        });
    }
    Ok(profiles)
}

/// The values of a flag.
fn values(value: &Spanned<DeValue<'_>>) -> Option<Vec<Option<String>>> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        _ => None,
    };
    match value.get_ref() {
        DeValue::Boolean(true) => Some(vec![None]),
        DeValue::Boolean(false) => Some(Vec::new()),
        DeValue::Array(list) => list.iter().map(|value| one(value.get_ref()).map(Some)).collect(),
        other => Some(vec![Some(one(other)?)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn encode() -> Command {
        args::encode_command()
    }

    /// The words that a profile gives to a command line.
    fn resolved(text: &str, given: &str) -> Vec<String> {
        let command = encode();
        let profiles = parse(text, None).unwrap();
        profiles[0].check(&command).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profiles.toml");
        fs::write(&file, text).unwrap();
        let given = ["encode", "a.mkv", "-o", "b.mkv"].into_iter().chain(given.split_whitespace());
        let given = command.clone().try_get_matches_from(given).unwrap();
        let words = words(&profiles[0].name, Some(&file), &command, &given).unwrap();
        words.into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn built_in_profiles_are_sound() {
        let all = parse(BUILT_IN, None).unwrap();
        assert_eq!(
            all.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>(),
            ["archive", "phone", "web"]
        );
        all.iter().for_each(|profile| profile.check(&encode()).unwrap());
    }

    #[test]
    fn every_form_of_value_becomes_words() {
        let text = "[tv]\nquality = 95.5\nthreads = 1_0\naudio = ['aac:192k', '2=none']\nisolate = true\n\
                    restart = false\nset = ['A=1', 'B=2']\ndeinterlace = true";
        let words = [
            "--quality=95.5",
            "--threads=10",
            "--audio=aac:192k",
            "--audio=2=none",
            "--isolate",
            "--set=A=1",
            "--set=B=2",
            "--deinterlace",
        ];
        assert_eq!(resolved(text, ""), words);
    }

    /// A flag takes the place of all that it contradicts.
    #[test]
    fn the_command_line_wins() {
        let text =
            "[tv]\nquality = 95\ncodec = 'hevc'\naudio = ['aac', '2=none']\nverbose = true\ndepth = 10";
        assert_eq!(
            resolved(text, "--quality 90"),
            ["--codec=hevc", "--audio=aac", "--audio=2=none", "--verbose", "--depth=10"]
        );
        assert_eq!(
            resolved(text, "--bitrate 4M --encoder x264 --audio copy --quiet --pixel-format source"),
            [""; 0]
        );
        assert_eq!(
            resolved(text, "--json -s 4M"),
            ["--codec=hevc", "--audio=aac", "--audio=2=none", "--depth=10"]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let refused = |text: &str| {
            let profiles = parse(text, Some(Path::new("p.toml")));
            let checked =
                profiles.and_then(|all| all.iter().try_for_each(|profile| profile.check(&encode())));
            checked.unwrap_err().to_string()
        };
        let cases = [
            ("[tv]\n\nqality = 3", "p.toml:3: profile tv: there is no flag --qality"),
            ("[tv]\noutput = 'x.mkv'", "p.toml:2: profile tv: there is no flag --output"),
            ("[tv]\nhelp = true", "p.toml:2: profile tv: there is no flag --help"),
            ("quality = 3", "p.toml:1: quality stands in no profile"),
            ("[a]\nquality = 3\n[b]\nquality = 'good'", "p.toml:4: profile b: invalid value 'good'"),
            ("[tv]\nquality = true", "p.toml:2: profile tv: --quality needs a value"),
            ("[tv]\nisolate = 'yes'", "p.toml:2: profile tv: --isolate is true or false"),
            ("[tv]\ncodec = ['h264', 'hevc']", "p.toml:2: profile tv: --codec takes one value"),
            ("[tv]\naudio = { all = 'aac' }", "p.toml:2: profile tv: audio: a flag is"),
            ("\n[tv]\nquality = 93\nbitrate = '4M'", "p.toml:2: profile tv: the argument"),
            ("[tv]\nquality = 93\nquality = 94", "p.toml:3: duplicate key"),
            ("[tv\nquality = 93", "p.toml:1: "),
        ];
        for (text, words) in cases {
            let told = refused(text);
            assert!(told.starts_with(words) && !told.contains('\n'), "{text:?}: {told}");
        }
    }
}
