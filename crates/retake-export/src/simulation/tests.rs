use super::*;
use std::path::Path;

/// The figures of a simulation in a folder in memory, where there is one, because every take is synced.
fn figures(setup: &Setup) -> Figures {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(place).unwrap();
    simulate(setup, folder.path()).unwrap()
}

const ENGINES: [Engine; 2] = [Engine::Queue, Engine::Arrays];

/// Everything follows from the seeds: the same twice, to the last number; and other machines make the same
/// film in another time.
#[test]
fn a_simulation_follows_from_its_seeds() {
    for engine in ENGINES {
        let setup = Setup { engine, ..Setup::calm(60, 20) }.rough();
        let [one, again] = [figures(&setup), figures(&setup)].map(|figures| figures.simulated());
        assert_eq!(one, again);
        let other = figures(&Setup { machines: 2, ..setup.clone() });
        assert_eq!(other.film, one.film);
        assert!(other.makespan != one.makespan);
        assert!(figures(&Setup { seed: 2, ..setup }).film != one.film);
    }
}

/// Whatever machines, storage and engine do, each take that a pass wants is told as finished once, and the
/// film is the one that machines make on which nothing goes wrong.
#[test]
fn what_goes_wrong_does_not_change_the_film() {
    for (coarse, rate) in [(false, 0), (true, 2_000_000)] {
        let calm = Setup { coarse, rate, ..Setup::calm(60, 20) };
        let expected = figures(&calm);
        assert!(expected.passes > 1 && expected.runs_lost == 0 && expected.told == expected.wanted);
        for engine in ENGINES {
            let rough = Setup {
                engine,
                crashing: 0.02,
                hanging: 0.002,
                straggling: 0.1,
                twice: 0.2,
                silent: 0.2,
                hours_between_deaths: 0.2,
                slots: 2,
                outage: (60.0, 30.0),
                ..calm.clone()
            };
            let found = figures(&rough);
            assert!(found.runs_lost > 0 && found.machines_lost > 0, "nothing went wrong: {found:?}");
            assert!(engine == Engine::Queue || found.made_twice > 0, "nothing was run twice: {found:?}");
            assert_eq!((found.told, found.wanted), (expected.wanted, expected.wanted), "{rough:?}");
            assert_eq!((found.takes, &found.film), (expected.takes, &expected.film), "{rough:?}");
            assert!(found.makespan > expected.makespan);
        }
    }
}

/// Where a fourth of all workers crash, some of the takes are lost three times and more, through no fault of
/// theirs. That costs time, and not the film.
#[test]
fn takes_that_have_bad_luck_do_not_end_the_film() {
    let calm = Setup::calm(150, 100);
    let expected = figures(&calm);
    for engine in ENGINES {
        let found = figures(&Setup { engine, crashing: 0.25, ..calm.clone() });
        assert!(found.runs_lost > 50, "too few were lost to show much: {found:?}");
        assert_eq!((found.told, &found.film), (expected.told, &expected.film));
    }
}

/// A machine that can run nothing is always free, and asked more often than all others. It ends the film,
/// with what it said.
#[test]
fn a_machine_that_can_run_nothing_ends_the_film_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { slots: 1, broken: 1, ..Setup::calm(600, 100) };
    let ended = simulate(&setup, folder.path()).unwrap_err();
    assert!(matches!(&ended, ExportError::LostTake { reason, .. } if reason.contains("source")), "{ended}");
}
