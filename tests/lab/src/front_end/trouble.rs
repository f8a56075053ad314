//! Faults on purpose: which call meets which trouble.

use std::time::Duration;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// Nothing is done; the connection ends without an answer.
    HangUp,
    /// Nothing is done; HTTP 500.
    ServerError,
    /// It is done; the connection ends without an answer.
    ReplyLost,
    /// It is done; HTTP 500.
    ServerErrorAfter,
    /// It is done; the answer's headers promise more than comes.
    CutOff,
    /// It is done; the answer is complete HTTP, and half of the XML.
    Truncated,
    /// It is done; the answer is no XML.
    Garbage,
    /// It is done; the answer comes that much later.
    Slow(Duration),
}

impl Trouble {
    /// Whether the call is carried out in spite of it.
    #[must_use]
    pub fn is_done(self) -> bool {
        !matches!(self, Self::HangUp | Self::ServerError)
    }
}

/// Which calls meet it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Rule {
    trouble: Trouble,
    method: Option<String>,
    skip: u32,
    times: u32,
}

impl Rule {
    /// The next call, of any method, once.
    pub fn new(trouble: Trouble) -> Self {
        Self { trouble, method: None, skip: 0, times: 1 }
    }

    /// Calls of this method alone.
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// From the `k`-th of these calls on, counted from 1 and from now.
    pub fn nth(mut self, k: u32) -> Self {
        self.skip = k.saturating_sub(1);
        self
    }

    /// So many of them.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Counts a call; what it meets, if anything.
    fn meets(&mut self, method: &str) -> Option<Trouble> {
        if self.times == 0 || self.method.as_ref().is_some_and(|wanted| wanted != method) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.trouble)
    }
}

/// What a call meets: every rule counts it, the first that bites counts.
pub(crate) fn next(rules: &mut Vec<Rule>, method: &str) -> Option<Trouble> {
    let found = rules.iter_mut().filter_map(|rule| rule.meets(method)).collect::<Vec<_>>();
    rules.retain(|rule| rule.times > 0);
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::{Rule, Trouble, next};

    #[test]
    fn a_rule_bites_the_kth_call_of_its_method_and_so_many_more() {
        let mut rules = vec![Rule::new(Trouble::ReplyLost).method("one.vm.action").nth(2).times(2)];
        let calls = ["one.vm.action", "one.vm.info", "one.vm.action", "one.vm.action", "one.vm.action"];
        let bitten: Vec<_> = calls.iter().map(|method| next(&mut rules, method).is_some()).collect();
        assert_eq!(bitten, [false, false, true, true, false]);
        assert!(rules.is_empty());
    }
}
