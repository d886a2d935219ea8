//! Seals values that a client keeps for the server, such as the place where a list continues: only the caller who
//! received one can use it, it cannot be changed, and it is valid for a time. Nothing is stored, so that any replica
//! with the same keys opens what another has sealed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;

use crate::error::Error;
use crate::random::{self, KEY_BYTES};
use crate::reload::Reloading;

/// How long a seal holds.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Separates the parts; neither base64 nor numbers have it.
const SEPARATOR: char = '~';

/// The keys of a server, or of several that share them: the first seals, and all open.
#[derive(Debug, Clone)]
pub struct SigningKeys(Origin);

#[derive(Debug, Clone)]
enum Origin {
    Own(Arc<[hmac::Key]>),
    File(Arc<Reloading<Vec<hmac::Key>>>),
}

impl SigningKeys {
    /// A key of this process, which nobody else has.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, Error> {
        Ok(Self(Origin::Own(Arc::new([hmac::Key::new(hmac::HMAC_SHA256, &random::key("seals")?)]))))
    }

    /// The keys of a file: one on each line, 32 bytes in base64, the newest first. Lines that begin with `#` are comments. It is
    /// read again when it changes; where that fails, the keys before hold on.
    ///
    /// # Errors
    /// When it cannot be read, has no key, or has a line that is none; a line is named by its number, never repeated.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(Self(Origin::File(Arc::new(Reloading::open(&[path], Self::of_file)?))))
    }

    fn of_file(paths: &[PathBuf]) -> Result<Vec<hmac::Key>, Error> {
        let [path] = paths else { return Err(Error::failed("signing keys are in one file")) };
        let failed = |reason: &str| {
            Error::failed(format!("the signing keys in `{}`: {reason}", path.display()))
                .with_hint("a line is 32 random bytes in base64, such as `openssl rand -base64 32` prints")
        };
        let text = crate::text_file::read(path).map_err(|error| failed(&error.to_string()))?;
        let mut keys = Vec::new();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bytes = STANDARD.decode(line).ok().filter(|bytes| bytes.len() == KEY_BYTES);
            let bytes = bytes.ok_or_else(|| failed(&format!("line {} is not a key", index + 1)))?;
            keys.push(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
        }
        if keys.is_empty() { Err(failed("there are none")) } else { Ok(keys) }
    }

    /// Does something with the keys as they are now.
    fn with<T>(&self, work: impl FnOnce(&[hmac::Key]) -> T) -> T {
        match &self.0 {
            Origin::Own(keys) => work(keys),
            Origin::File(file) => work(&file.current()),
        }
    }

    /// The seal of a caller.
    pub(crate) fn of(&self, principal: &str) -> Seal {
        Seal { keys: self.clone(), principal: principal.into() }
    }
}

/// Why a seal is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It is not this caller's, not of these keys, for something else, or was changed.
    Foreign,
    /// It holds no more.
    Late,
}

/// The seal of one caller.
#[derive(Debug, Clone)]
pub struct Seal {
    keys: SigningKeys,
    principal: Arc<str>,
}

impl Seal {
    /// The place where a list goes on, with its seal.
    pub(crate) fn seal(&self, text: &str) -> String {
        self.seal_until("", text, seconds() + LIFE.as_secs())
    }

    /// A text for something else, with a seal that holds for so long.
    pub(crate) fn seal_for(&self, purpose: &str, text: &str, life: Duration) -> String {
        self.seal_until(purpose, text, seconds() + life.as_secs())
    }

    fn seal_until(&self, purpose: &str, text: &str, end: u64) -> String {
        let signed = format!("{text}{SEPARATOR}{end}");
        // There is always a first key.
        let message = self.message(purpose, &signed);
        let tag = self.keys.with(|keys| keys.first().map(|key| hmac::sign(key, &message)));
        let tag = tag.map(|tag| URL_SAFE_NO_PAD.encode(tag)).unwrap_or_default();
        format!("{signed}{SEPARATOR}{tag}")
    }

    /// The text of a seal that is this caller's and still holds.
    pub(crate) fn open<'a>(&self, sealed: &'a str) -> Option<&'a str> {
        self.open_for("", sealed).ok()
    }

    /// The same of what was sealed for something else.
    pub(crate) fn open_for<'a>(&self, purpose: &str, sealed: &'a str) -> Result<&'a str, Broken> {
        let signed = self.signed(purpose, sealed).ok_or(Broken::Foreign)?;
        let (text, end) = signed.rsplit_once(SEPARATOR).ok_or(Broken::Foreign)?;
        let end = end.parse::<u64>().map_err(|_| Broken::Foreign)?;
        if end > seconds() { Ok(text) } else { Err(Broken::Late) }
    }

    fn signed<'a>(&self, purpose: &str, sealed: &'a str) -> Option<&'a str> {
        let (signed, tag) = sealed.rsplit_once(SEPARATOR)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        let message = self.message(purpose, signed);
        self.keys.with(|keys| keys.iter().any(|key| hmac::verify(key, &message, &tag).is_ok())).then_some(signed)
    }

    /// What is signed: the length of the first part keeps the two apart. A purpose stands behind a byte that no length
    /// begins with.
    fn message(&self, purpose: &str, signed: &str) -> Vec<u8> {
        let mut message = Vec::new();
        if !purpose.is_empty() {
            message.push(0xff);
            message.extend_from_slice(purpose.as_bytes());
        }
        message.extend_from_slice(&(self.principal.len() as u64).to_be_bytes());
        message.extend_from_slice(self.principal.as_bytes());
        message.extend_from_slice(signed.as_bytes());
        message
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{SigningKeys, seconds};

    #[test]
    fn only_the_caller_opens_what_was_sealed_and_only_for_a_while() {
        let keys = SigningKeys::random().expect("keys");
        let (anna, ben) = (keys.of("anna"), keys.of("ben"));
        let sealed = anna.seal("next~page.x");
        assert_eq!(anna.open(&sealed), Some("next~page.x"));
        assert_eq!(ben.open(&sealed), None);
        assert_eq!(SigningKeys::random().expect("keys").of("anna").open(&sealed), None);
        assert_eq!(anna.open(&anna.seal_until("", "next", seconds())), None, "it is over");
        let other = anna.seal_for("other", "next", super::LIFE);
        assert_eq!((anna.open(&other), anna.open_for("other", &other)), (None, Ok("next")));
        assert_eq!(anna.open_for("other", &sealed), Err(super::Broken::Foreign));
        for changed in [sealed.replacen("next", "text", 1), format!("{sealed}A"), "next".to_owned(), String::new()] {
            assert_eq!(anna.open(&changed), None, "{changed}");
        }
        assert_eq!(keys.of("annan").open(&keys.of("anna").seal("n")), None);
    }

    #[test]
    fn a_changed_file_holds_and_a_bad_one_changes_nothing() {
        let key = |letter: &str| format!("{}=\n", letter.repeat(42) + "A");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let write = |text: &str| std::fs::write(file.path(), text).expect("written");
        write(&key("B"));
        let shared = SigningKeys::read(file.path()).expect("a key").of("anna");
        let before = shared.seal("x");
        // Of another length, so that it is seen whatever the clock of the file system tells.
        let changed = |text: &str| {
            write(text);
            std::thread::sleep(crate::reload::LOOK);
        };
        changed("# broken\nno key\n");
        assert_eq!(shared.open(&before), Some("x"), "the keys before hold on");
        changed(&(key("C") + &key("B")));
        let after = shared.seal("x");
        assert_eq!(shared.open(&before), Some("x"), "the old key opens");
        changed(&key("C"));
        assert_eq!((shared.open(&before), shared.open(&after)), (None, Some("x")), "and then it is gone");
    }

    #[test]
    fn keys_are_rotated_by_a_file() {
        let file = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(text.as_bytes()).expect("written");
            SigningKeys::read(file.path()).map_err(|error| error.to_string())
        };
        let (old, new) = (format!("{}=", "A".repeat(43)), format!("{}=", "B".repeat(42) + "A"));
        let before = file(&format!("{old}\n")).expect("a key").of("anna");
        let after = file(&format!("# keys\n{new}\n\n{old}\n")).expect("two keys").of("anna");
        assert_eq!(after.open(&before.seal("x")), Some("x"));
        assert_eq!(before.open(&after.seal("x")), None);
        let wrong = file("# none\n").expect_err("none");
        assert!(wrong.contains("there are none"), "{wrong}");
        let wrong = file(&format!("{old}\nsecret\n")).expect_err("no key");
        assert!(wrong.contains("line 2 is not a key") && !wrong.contains("secret\n"), "{wrong}");
    }
}
