//! SIGKILL at random moments of every verb, then `resume`; and answers of front-ends that get lost.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use lab::SiteId;
use lab::front_end::{Rule, Trouble};
use one_dr::FrontEnd;
use one_dr::frontend::Object;
use tests::office::{Machine, Office, Output};

use crate::witness::{lives_at, nothing_lost, nothing_twice_at_b};

/// How often a run may be killed before it is let be.
const KILLS: u32 = 2;

/// Moments, from a seed that is printed: another one each time, and the same again when it is asked for.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let given = std::env::var("ONE_DR_SEED").ok().and_then(|text| text.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
        let seed = given.unwrap_or(now);
        eprintln!("ONE_DR_SEED={seed}");
        Self(seed)
    }

    /// A number below `end` (xorshift).
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// Carries a verb out, killed at random moments: after so many events of its run, and then some milliseconds.
fn carried_out(office: &Office, arguments: &[&str], events: u64, moments: &mut Moments) -> Result<()> {
    let mut words: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    words.extend(["--yes", "--events", "jsonl"].map(str::to_owned));
    for _ in 0..KILLS {
        let line: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut run = office.spawn(&line)?;
        let at = moments.below(events);
        let ended = run.wait_for_lines(usize::try_from(at)?, Duration::from_secs(240))?;
        std::thread::sleep(Duration::from_millis(moments.below(120)));
        let killed = run.kill()?;
        eprintln!("{line:?} was killed after {at} events: {:?}", killed.code);
        if ended || killed.code.is_some() {
            ensure!(is_over(&killed), "{line:?} ended by itself:\n{}{}", killed.stdout, killed.stderr);
            return Ok(());
        }
        // Without a name nothing was begun.
        if let Ok(run) = killed.run() {
            words = ["resume", "--yes", "--events", "jsonl", &run].map(str::to_owned).to_vec();
        }
    }
    let line: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = office.one_dr(&line)?;
    if is_over(&output) { Ok(()) } else { output.expect(0).map(drop) }
}

/// Done; or done by the one before, which was killed between the last line of its journal and its exit.
fn is_over(output: &Output) -> bool {
    output.code == Some(0) || output.code == Some(1) && output.stderr.contains("is over")
}

fn lose_answers(office: &Office, methods: &[&str]) {
    for method in methods {
        for trouble in [Trouble::ReplyLost, Trouble::Truncated] {
            office.front(SiteId::B).inject(Rule::new(trouble).method(method));
        }
    }
}

fn there_and_back(office: &Office, machines: &[Machine], moments: &mut Moments) -> Result<()> {
    for (verb, site) in [("relocate", SiteId::B), ("failback", SiteId::A)] {
        carried_out(office, &[verb, "erp-app", "1"], 90, moments)?;
        lives_at(office, machines, site)?;
        nothing_twice_at_b(office, machines)?;
        nothing_lost(office, machines)?;
    }
    Ok(())
}

/// Goal: from a kill at any moment `resume` comes to the end of an undisturbed run. Method: real sites, SIGKILL at random moments,
/// a machine with a name that would break a template, a shell or an option, and lost answers on top.
#[test]
fn killed_at_random_moments_every_verb_comes_to_its_end() -> Result<()> {
    let mut moments = Moments::new();
    let office = Office::up("kills")?;
    let mut machines = office.make_machines()?;
    let name = "--yes ü],x=[1 @^_^@";
    office.one(SiteId::A)?.rename(Object::Vm(machines[1].vm), name)?;
    name.clone_into(&mut machines[1].name);
    office.init()?;

    lose_answers(&office, &["one.image.allocate", "one.image.chown", "one.template.allocate"]);
    carried_out(&office, &["protect", "erp-app", "1"], 60, &mut moments)?;
    nothing_twice_at_b(&office, &machines)?;
    office.front(SiteId::B).heal();

    lose_answers(&office, &["one.template.instantiate", "one.vm.action", "one.image.unlock"]);
    there_and_back(&office, &machines, &mut moments)?;
    office.front(SiteId::B).heal();

    let struck = office.kill(SiteId::A)?;
    carried_out(&office, &["failover", "erp-app", "1"], 60, &mut moments)?;
    nothing_twice_at_b(&office, &machines)?;
    for machine in &machines {
        let boot = office.guests().last_boot(&machine.name)?;
        ensure!(boot.site == SiteId::B && boot.up > struck, "{} did not start at B", machine.name);
    }
    office.bring_back(SiteId::A)?;
    office.await_daemons()?;
    carried_out(&office, &["reprotect", "erp-app", "1"], 30, &mut moments)?;
    lives_at(&office, &machines, SiteId::B)?;
    carried_out(&office, &["failback", "erp-app", "1"], 90, &mut moments)?;
    lives_at(&office, &machines, SiteId::A)?;
    nothing_twice_at_b(&office, &machines)
}
