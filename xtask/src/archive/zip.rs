//! Zip archives: wheels, bundles, and what Windows unpacks.

use std::io::{Cursor, Write as _};

use anyhow::{Context as _, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{Entry, Style};

/// These files, in this order.
pub(crate) fn of(entries: &[Entry<'_>], style: Style) -> Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(style.level.into()))
        .last_modified_time(time(style.seconds)?);
    for Entry { path, content, mode } in entries {
        let failed = || format!("cannot pack `{path}`");
        archive.start_file(path.as_str(), options.unix_permissions(*mode)).with_context(failed)?;
        archive.write_all(content).with_context(failed)?;
    }
    Ok(archive.finish().context("cannot end the archive")?.into_inner())
}

/// The time as archives of this kind have it, in UTC. They know none before 1980.
fn time(seconds: u64) -> Result<DateTime> {
    let first = 315_532_800;
    let time = jiff::Timestamp::from_second(i64::try_from(seconds.max(first)).context("no time")?)?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC);
    let small = |number: i8| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(time.year()).unwrap_or_default();
    DateTime::from_date_and_time(
        year,
        small(time.month()),
        small(time.day()),
        small(time.hour()),
        small(time.minute()),
        small(time.second()),
    )
    .with_context(|| format!("an archive cannot have the time {time}"))
}
