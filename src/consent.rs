//! Asking a person before something is changed: what is asked about, whether anybody can be asked, and what an answer is
//! bound to.
//!
//! A call that needs consent ends before its first change with a question in place of an answer. Whoever can put it to the
//! person makes the same call again, with the answer. So nothing waits in the middle of a call, and any server that has the
//! same keys can take the answer to a question that another has asked.

mod protected;
mod questions;

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::risk::Risk;

pub(crate) use protected::{KINDS as PROTECTED, Protected};
pub(crate) use questions::{Questions, Wrong};

/// How long a question is open.
pub(crate) const OPEN: Duration = Duration::from_secs(300);

/// What a person is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What deletes, overwrites or interrupts something.
    Destructive,
    /// Whatever changes anything.
    Write,
    /// Nothing.
    Never,
}

impl Level {
    const ALL: [Self; 3] = [Self::Destructive, Self::Write, Self::Never];

    /// Its word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Destructive => "destructive",
            Self::Write => "write",
            Self::Never => "never",
        }
    }
}

/// What `--confirm` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice(pub Option<Level>);

/// Reads `--confirm`. An empty variable says nothing.
///
/// # Errors
/// For a word that is none of those that there are.
pub(crate) fn choice(text: &str) -> Result<Choice, String> {
    let text = text.trim();
    let level = Level::ALL.into_iter().find(|level| level.name() == text);
    match level {
        None if !text.is_empty() => Err("expected `destructive`, `write` or `never`".to_owned()),
        level => Ok(Choice(level)),
    }
}

/// What a server asks about. The default asks about nothing: the command line says what a server asks.
#[derive(Debug)]
pub struct Terms {
    level: Level,
    /// Whether what is asked about is refused where nobody can be asked, marked or not.
    is_firm: bool,
    protected: Protected,
    open: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { level: Level::Never, is_firm: false, protected: Protected::default(), open: OPEN }
    }
}

impl Terms {
    /// What `--confirm` and `--protect` say.
    ///
    /// # Errors
    /// For a pattern that is none.
    pub fn new(choice: Choice, protect: &[String]) -> Result<Self, Error> {
        Ok(Self {
            level: choice.0.unwrap_or(Level::Destructive),
            is_firm: choice.0.is_some(),
            protected: Protected::new(protect)?,
            open: OPEN,
        })
    }

    /// The same, whose questions are open for so long.
    #[must_use]
    pub fn open_for(self, open: Duration) -> Self {
        Self { open, ..self }
    }

    /// Whether what the allowlist marks is asked about.
    pub(crate) fn asks_for_marked(&self) -> bool {
        self.level != Level::Never
    }

    /// Whether what has this risk is asked about.
    pub(crate) fn asks_for(&self, risk: Risk) -> bool {
        match self.level {
            Level::Destructive => risk == Risk::Destructive,
            Level::Write => risk != Risk::Read,
            Level::Never => false,
        }
    }

    /// Whether every change is asked about.
    pub(crate) fn asks_for_writes(&self) -> bool {
        self.level == Level::Write
    }

    /// Whether what is asked about for its risk is refused where nobody can be asked.
    pub(crate) fn is_firm(&self) -> bool {
        self.is_firm
    }

    pub(crate) fn protected(&self) -> &Protected {
        &self.protected
    }

    /// How long a question is open.
    pub(crate) fn open(&self) -> Duration {
        self.open
    }
}

/// Whether a person can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// Whoever makes the call puts its question to a person.
    Ask,
    /// Nobody can be asked, and what the caller can do about that.
    Nobody(WayOut),
}

/// What to do where nobody can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WayOut {
    pub(crate) advice: &'static str,
    /// Whether somebody else has started the server, who could start it otherwise.
    pub(crate) is_served: bool,
}

/// What a person answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nobody was asked.
    #[default]
    None,
    /// Yes.
    Accepted,
    /// Whoever makes the call has said in advance that nobody is to be asked.
    Waived,
    /// No.
    Declined,
    /// The question was closed without an answer.
    Closed,
    /// Nobody answered in time.
    Unanswered,
    /// The answer came too late.
    Late,
    /// The answer was used before.
    Used,
    /// The question did not get through.
    Failed,
}

impl Answer {
    /// Its word in records; nothing where nobody was asked.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Accepted => Some("accepted"),
            Self::Waived => Some("waived"),
            Self::Declined => Some("declined"),
            Self::Closed => Some("closed"),
            Self::Unanswered => Some("unanswered"),
            Self::Late => Some("late"),
            Self::Used => Some("used before"),
            Self::Failed => Some("not asked"),
        }
    }
}

/// The consent to one call; cheap to clone.
#[derive(Debug, Clone)]
pub struct Consent {
    terms: Arc<Terms>,
    means: Means,
    answer: Answer,
}

impl Default for Consent {
    fn default() -> Self {
        Self::under(Terms::default())
    }
}

impl Consent {
    /// No consent yet, and nobody to ask, under these terms.
    pub fn under(terms: Terms) -> Self {
        let means = Means::Nobody(WayOut { advice: "whoever makes this call has nobody to ask", is_served: true });
        Self { terms: Arc::new(terms), means, answer: Answer::None }
    }

    /// The same for a call whose person was asked, or can be.
    pub(crate) fn with(&self, means: Means, answer: Answer) -> Self {
        Self { terms: Arc::clone(&self.terms), means, answer }
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    pub(crate) fn means(&self) -> Means {
        self.means
    }

    pub(crate) fn answer(&self) -> Answer {
        self.answer
    }

    /// Whether nobody has to be asked any more.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self.answer, Answer::Accepted | Answer::Waived)
    }

    /// Refuses a call that a person did not consent to.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let again = "call again to have the person asked anew";
        let (message, hint) = match self.answer {
            Answer::None | Answer::Accepted | Answer::Waived => return Ok(()),
            Answer::Declined => (
                "the person who was asked to confirm this call declined".to_owned(),
                "do not repeat the call: ask what they want instead",
            ),
            Answer::Closed => (
                "the question whether to make this call was closed without an answer".to_owned(),
                "ask the person what they want before you call again",
            ),
            Answer::Unanswered => (
                format!("nobody confirmed this call within {}", self.minutes()),
                "call again when somebody is there to answer",
            ),
            Answer::Late => (format!("the answer came more than {} after the question", self.minutes()), again),
            Answer::Used => ("this answer was used before, and an answer holds for one call".to_owned(), again),
            Answer::Failed => (
                "the client did not put the question to a person whether to make this call".to_owned(),
                "tell the person what the call would do; the client's log says why it did not ask",
            ),
        };
        let rule = format!("confirm: {}", self.answer.word().unwrap_or_default());
        Err(Error::failed(format!("{message}; nothing was sent")).with_hint(hint).refused_by(rule))
    }

    /// How long a question is open, in words.
    fn minutes(&self) -> String {
        let seconds = self.terms.open.as_secs();
        if seconds.is_multiple_of(60) && seconds > 60 {
            format!("{} minutes", seconds / 60)
        } else {
            format!("{seconds} s")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_says_what_is_asked_about_and_what_is_refused() {
        for (text, destructive, write, marked, firm) in [
            ("", true, false, true, false),
            ("destructive", true, false, true, true),
            (" write ", true, true, true, true),
            ("never", false, false, false, true),
        ] {
            let terms = Terms::new(choice(text).expect(text), &[]).expect("terms");
            let asks = [Risk::Destructive, Risk::Write, Risk::Read].map(|risk| terms.asks_for(risk));
            assert_eq!(asks, [destructive, write, false], "{text}");
            assert_eq!((terms.asks_for_marked(), terms.is_firm()), (marked, firm), "{text}");
        }
        assert!(choice("always").is_err_and(|error| error.contains("`destructive`, `write` or `never`")));
        let terms = Terms::default();
        assert!(!terms.asks_for_marked() && !terms.asks_for(Risk::Destructive) && terms.protected().is_empty());
    }

    #[test]
    fn each_answer_but_yes_is_an_error_of_its_own() {
        let answers =
            [Answer::Declined, Answer::Closed, Answer::Unanswered, Answer::Late, Answer::Used, Answer::Failed];
        let mut texts = Vec::new();
        for answer in answers {
            let consent = Consent::default().with(Means::Ask, answer);
            let error = consent.check().expect_err("a refusal");
            assert!(error.rule().is_some_and(|rule| rule.starts_with("confirm: ")), "{error}");
            assert!(error.to_string().contains("nothing was sent") && error.hint().is_some(), "{error}");
            texts.push(error.to_string());
        }
        texts.dedup();
        assert_eq!(texts.len(), answers.len());
        assert!(texts.iter().any(|text| text.contains("within 5 minutes")), "{texts:?}");
        for answer in [Answer::None, Answer::Accepted, Answer::Waived] {
            assert!(Consent::default().with(Means::Ask, answer).check().is_ok());
        }
    }
}
