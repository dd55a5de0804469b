//! Asking a chatbot that is busy again, for a bounded time: for responses that no person waits for.

use super::{Chat, Reply};
use crate::error::{Error, Result};
use std::time::Duration;

/// How often one answer is asked for.
const TRIES: u32 = 8;

/// How long one answer is waited for between the tries, all together.
const LONGEST: Duration = Duration::from_secs(300);

/// The first wait, doubled from try to try, where the chatbot does not say how long.
const FIRST: Duration = Duration::from_secs(1);

/// The chatbot with what is known of it.
pub(crate) struct Patient {
    partner: Box<dyn Chat>,
    /// Whether it has ever answered: an address where nobody has answered yet may be wrong.
    answered: bool,
}

impl Patient {
    pub(crate) fn new(partner: Box<dyn Chat>) -> Self {
        Self { partner, answered: false }
    }

    /// The answer to the turns so far. `wait` is told why and how long, and waits.
    ///
    /// # Errors
    /// [`Error::Chat`] when there is none by then, or when asking again would not help.
    pub(crate) fn reply(
        &mut self,
        turns: &[String],
        wait: &mut dyn FnMut(&str, Duration),
    ) -> Result<Reply> {
        let mut waited = Duration::ZERO;
        for tried in 1.. {
            let error = match self.partner.reply(turns) {
                Ok(reply) => {
                    self.answered = true;
                    return Ok(reply);
                }
                Err(error) => error,
            };
            let (why, asked) = match error {
                Error::ChatBusy { why, wait } => (why, wait),
                Error::ChatLost(why) if self.answered => (why, None),
                Error::ChatLost(why) => return Err(Error::Chat(why)),
                other => return Err(other),
            };
            // One that says it has waited enough may have a clock that is behind.
            let own = FIRST * (1 << (tried - 1).min(6));
            let pause = asked.filter(|asked| *asked >= FIRST).unwrap_or(own);
            if tried == TRIES {
                return Err(Error::Chat(format!("{why} (tried {TRIES} times)")));
            }
            if waited.saturating_add(pause) > LONGEST {
                let asks = match asked {
                    Some(pause) => format!("it asks to wait for {} s", pause.as_secs()),
                    None => format!("waited for {} s", waited.as_secs()),
                };
                return Err(Error::Chat(format!("{why} ({asks}; give the command again later)")));
            }
            wait(&why, pause);
            waited += pause;
        }
        unreachable!("the last try returns")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Fails as told, from the last to the first, and answers then.
    struct Script(Mutex<Vec<Error>>);

    impl Chat for Script {
        fn reply(&self, _: &[String]) -> Result<Reply> {
            let yes = Reply { text: "yes".into(), ..Reply::default() };
            self.0.lock().expect("one thread").pop().map_or(Ok(yes), Err)
        }
    }

    fn busy(seconds: Option<u64>) -> Error {
        Error::ChatBusy { why: "429".into(), wait: seconds.map(Duration::from_secs) }
    }

    /// What comes of these failures, and the waits in seconds.
    fn after(failures: Vec<Error>, answered: bool) -> (Result<String>, Vec<u64>) {
        let failures = Mutex::new(failures.into_iter().rev().collect());
        let mut partner = Patient { partner: Box::new(Script(failures)), answered };
        let mut waits = Vec::new();
        let reply = partner.reply(&[], &mut |_, wait| waits.push(wait.as_secs()));
        (reply.map(|reply| reply.text), waits)
    }

    #[test]
    fn a_busy_chatbot_is_asked_again_as_it_says() {
        let (reply, waits) = after(vec![busy(Some(7)), busy(None), busy(Some(0))], false);
        assert_eq!((reply.expect("an answer"), waits), ("yes".into(), vec![7, 2, 4]));
    }

    #[test]
    fn waiting_ends() {
        let (reply, waits) = after((0..20).map(|_| busy(None)).collect(), false);
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64]);
        assert!(reply.expect_err("none").to_string().contains("tried 8 times"));
        let (reply, waits) = after((0..20).map(|_| busy(Some(140))).collect(), false);
        assert_eq!(waits, [140, 140]);
        assert!(reply.expect_err("none").to_string().contains("wait for 140 s"));
        let (reply, waits) = after(vec![busy(Some(3600))], false);
        assert!(waits.is_empty(), "no hour is waited for");
        assert!(reply.expect_err("none").to_string().contains("asks to wait for 3600 s"));
    }

    #[test]
    fn a_connection_that_breaks_is_taken_up_and_a_wrong_address_is_not_waited_for() {
        let lost = || vec![Error::ChatLost("broken pipe".into())];
        let (reply, waits) = after(lost(), true);
        assert_eq!((reply.expect("an answer"), waits), ("yes".into(), vec![1]));
        let (reply, waits) = after(lost(), false);
        assert!(waits.is_empty() && reply.is_err());
        let (reply, waits) = after(vec![Error::Chat("401 Unauthorized".into())], true);
        assert!(waits.is_empty() && reply.is_err());
    }
}
