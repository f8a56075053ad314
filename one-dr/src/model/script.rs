//! Scripts of single calls with their expected answers, that run on the model and, the same text, on two real sites: so the model
//! is held to what Ceph does.
//!
//! ```text
//! # Promoting beside a demotion that has not arrived.
//! a enable one-0                 = ok
//! wait 60 a follower one-0       = caught-up
//! a demote one-0                 = ok
//! a demote one-0                 = refused not-primary
//! wait 60 b arrived one-0        = true
//! b promote one-0                = ok
//! b role one-0                   = primary
//! a role one-0                   = non-primary | orphan
//! ```
//! A line is a site, a call, an image by the name that it has there, and the answers that are allowed. `wait N` repeats a call for
//! up to N seconds; what it may answer meanwhile can be said: `= ok, until then refused completeness-unknown`. What cannot be said in one word (positions, addresses) is not compared.

use std::time::Duration;

use crate::clock::Clock;
use crate::storage::{Cause, Completeness, Error, Follower, GlobalImageId, MirrorMode, Role, Storage};

/// A line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    number: usize,
    wait: Option<Duration>,
    at_a: bool,
    call: String,
    image: String,
    expected: Vec<String>,
    /// What may be answered before, where it is said.
    until_then: Option<Vec<String>>,
}

/// What a script found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// A line is not understood.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A call answered something else.
    #[error("line {line}: {call}: {got}, and not {expected}")]
    Differs {
        /// Counted from 1.
        line: usize,
        /// The call.
        call: String,
        /// What it answered.
        got: String,
        /// What was allowed.
        expected: String,
    },
}

fn parse(text: &str) -> Result<Vec<Line>, ScriptError> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let bad = |what| ScriptError::Line { line: number, what };
        let (call, expected) = line.split_once('=').ok_or_else(|| bad("it expects nothing: `... = ok`"))?;
        let (expected, until_then) = match expected.split_once(UNTIL_THEN) {
            Some((expected, until_then)) => (expected, Some(until_then)),
            None => (expected, None),
        };
        let mut words: Vec<&str> = call.split_whitespace().collect();
        let mut wait = None;
        if words.first() == Some(&"wait") {
            let seconds = words.get(1).and_then(|word| word.parse().ok());
            wait = Some(Duration::from_secs(seconds.ok_or_else(|| bad("`wait SECONDS`"))?));
            words.drain(..2);
        }
        let [site @ ("a" | "b"), call, image] = words[..] else { return Err(bad("`a|b CALL IMAGE`")) };
        lines.push(Line {
            number,
            wait,
            at_a: site == "a",
            call: call.to_owned(),
            image: image.to_owned(),
            expected: answers(expected),
            until_then: until_then.map(answers),
        });
    }
    Ok(lines)
}

const UNTIL_THEN: &str = ", until then ";

fn answers(text: &str) -> Vec<String> {
    text.split('|').map(|word| word.trim().to_owned()).collect()
}

/// Runs a script on two sites. Images are named as they are at the site that the line says; they must be there before.
///
/// # Errors
/// [`ScriptError`] at the first line that differs.
pub fn run(text: &str, a: &dyn Storage, b: &dyn Storage, clock: &dyn Clock) -> Result<(), ScriptError> {
    for line in parse(text)? {
        let site = if line.at_a { a } else { b };
        let began = clock.now();
        let got = loop {
            let got = answer(site, &line)?;
            let over = line.wait.is_none_or(|limit| clock.now().since(began) >= limit);
            let goes_on = line.until_then.as_ref().is_none_or(|allowed| allowed.contains(&got));
            if over || !goes_on || line.expected.contains(&got) {
                break got;
            }
            clock.sleep(Duration::from_millis(200));
        };
        if !line.expected.contains(&got) {
            let call = format!("{} {} {}", if line.at_a { "a" } else { "b" }, line.call, line.image);
            let expected = line.expected.join(" | ");
            return Err(ScriptError::Differs { line: line.number, call, got, expected });
        }
    }
    Ok(())
}

fn answer(site: &dyn Storage, line: &Line) -> Result<String, ScriptError> {
    let image = line.image.as_str();
    let view = match site.image(image) {
        Ok(view) => view,
        Err(error) => return Ok(word(&error)),
    };
    let id = view.as_ref().and_then(|view| view.global_id.clone());
    // A call on an image that has no identity there is one on an image that is not there.
    let id = || id.clone().unwrap_or_else(|| GlobalImageId::new("none"));
    let done = |result: Result<(), Error>| result.map_or_else(|error| word(&error), |()| "ok".to_owned());
    Ok(match line.call.as_str() {
        "role" => view.map_or_else(|| "absent".to_owned(), |view| role(view.role).to_owned()),
        "parent" => view.map_or_else(|| "absent".to_owned(), |view| view.parent.is_some().to_string()),
        "complete" => match view.and_then(|view| view.complete) {
            Some(is) => is.to_string(),
            None => "unknown".to_owned(),
        },
        "follower" => {
            site.follower(&id()).map_or_else(|error| word(&error), |state| follower(&state).to_owned())
        }
        "arrived" => site.demotion_arrived(&id()).map_or_else(|error| word(&error), |is| is.to_string()),
        "reverse" => site.reverse_registered(&id()).map_or_else(|error| word(&error), |is| is.to_string()),
        "flatten" => done(site.flatten(image, &mut |_| std::ops::ControlFlow::Continue(()))),
        "enable" => done(site.enable(image, MirrorMode::Journal).map(|_| ())),
        "disable" => done(site.disable(&id())),
        "demote" => done(site.demote(&id())),
        "promote" => done(site.promote(&id())),
        "force" => done(site.promote_by_force(&id(), Completeness::Proven, true)),
        "resync" => done(site.resync(&id()).map(|_| ())),
        _ => return Err(ScriptError::Line { line: line.number, what: "there is no such call" }),
    })
}

fn role(role: Role) -> &'static str {
    match role {
        Role::NotMirrored => "not-mirrored",
        Role::Disabling => "disabling",
        Role::Primary => "primary",
        Role::NonPrimary => "non-primary",
        Role::Orphan => "orphan",
        Role::Other => "other",
    }
}

fn follower(follower: &Follower) -> &'static str {
    match follower {
        Follower::NotPrimary => "not-primary",
        Follower::TwoPrimaries => "two-primaries",
        Follower::PeerSilent => "peer-silent",
        Follower::NoReplica => "no-replica",
        Follower::NotRegistered => "not-registered",
        Follower::Syncing => "syncing",
        Follower::Disconnected => "disconnected",
        Follower::SplitBrain => "split-brain",
        Follower::Behind(_) => "behind",
        Follower::CaughtUp => "caught-up",
    }
}

fn word(error: &Error) -> String {
    let cause = match error {
        Error::NotFound { .. } => return "not-found".to_owned(),
        Error::Unreachable { .. } => return "unreachable".to_owned(),
        Error::InDoubt { .. } => return "in-doubt".to_owned(),
        Error::Refused { cause, .. } => cause,
        Error::Other { .. } => return "other".to_owned(),
    };
    let cause = match cause {
        Cause::NotMirrored => "not-mirrored",
        Cause::AlreadyPrimary => "already-primary",
        Cause::NotPrimary => "not-primary",
        Cause::PrimaryElsewhere => "primary-elsewhere",
        Cause::PeerIsPrimary => "peer-is-primary",
        Cause::NotSynced => "not-synced",
        Cause::StillSyncing => "still-syncing",
        Cause::CompletenessUnknown => "completeness-unknown",
        Cause::PeerNotPrimary => "peer-not-primary",
        Cause::PeerUnknown => "peer-unknown",
        Cause::IsPrimary => "is-primary",
        Cause::InUse(_) => "in-use",
        Cause::LockHeld(_) => "lock-held",
        Cause::HasParent(_) => "has-parent",
        Cause::NoParent => "no-parent",
        Cause::OtherMode => "other-mode",
        Cause::PoolMode => "pool-mode",
        _ => "otherwise",
    };
    format!("refused {cause}")
}
