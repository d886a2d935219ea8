//! What stands out in a query's metrics and plan, in sentences that say what to do.

use serde_json::{Map, Value};

use crate::domain::request;

const MEBIBYTE: i64 = 1 << 20;
const GIBIBYTE: i64 = 1 << 30;

/// The phases of a query in milliseconds, as far as they are known.
pub(crate) fn times(query: &Value) -> Value {
    let metrics = Metrics::of(query);
    let waited = metrics.waited();
    let phases = [
        ("total", metrics.find("total_time_ms").or_else(|| request::integer(query, "duration"))),
        ("queued", waited),
        ("compiling", metrics.find("compilation_time_ms")),
        ("executing", metrics.find("execution_time_ms")),
        ("fetching", metrics.find("result_fetch_time_ms")),
        ("task_total", metrics.find("task_total_time_ms")),
    ];
    let known = phases.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    Value::Object(known.collect::<Map<_, _>>())
}

struct Metrics<'a>(&'a Value);

impl<'a> Metrics<'a> {
    fn of(query: &'a Value) -> Self {
        Self(query.get("metrics").unwrap_or(&Value::Null))
    }

    fn find(&self, name: &str) -> Option<i64> {
        request::integer(self.0, name)
    }

    fn get(&self, name: &str) -> i64 {
        self.find(name).unwrap_or_default()
    }

    /// How long the query stood in a queue, for the warehouse to start or for room on it.
    fn waited(&self) -> Option<i64> {
        let begins = ["provisioning_queue_start_timestamp", "overloading_queue_start_timestamp"];
        let begin = begins.iter().filter_map(|name| self.find(name)).filter(|at| *at > 0).min()?;
        let end = self.find("query_compilation_start_timestamp").filter(|at| *at > 0)?;
        Some((end - begin).max(0))
    }
}

/// The findings, the weightiest kind first.
pub(crate) fn of(query: Option<&Value>, plan: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(query) = query {
        measured(query, &mut found);
    }
    if let Some(plan) = plan {
        planned(plan, &mut found);
    }
    if found.is_empty() {
        let measured = query.is_some_and(|query| query.get("metrics").is_some_and(|metrics| !metrics.is_null()));
        let text = match (measured, plan) {
            (_, Some(_)) => "nothing stands out",
            (true, None) => "nothing stands out in what was measured; the plan was not looked at",
            (false, None) => "there is neither a plan nor anything measured to look at",
        };
        found.push(text.to_owned());
    }
    found
}

fn measured(query: &Value, found: &mut Vec<String>) {
    let metrics = Metrics::of(query);
    if metrics.0.get("result_from_cache").and_then(Value::as_bool) == Some(true) {
        found.push("cache: the result came from the result cache, so its times say nothing about the work".to_owned());
        return;
    }
    waiting(query, &metrics, found);
    reading(&metrics, found);
    working(&metrics, found);
}

fn waiting(query: &Value, metrics: &Metrics, found: &mut Vec<String>) {
    let total = metrics.find("total_time_ms").or_else(|| request::integer(query, "duration")).unwrap_or_default();
    if let Some(waited) = metrics.waited().filter(|waited| *waited > 1_000 && *waited * 5 > total) {
        let why = if metrics.get("overloading_queue_start_timestamp") > 0 {
            "the warehouse was full: allow it more clusters, or run at another time"
        } else {
            "the warehouse had to start: a longer auto-stop or a serverless one helps"
        };
        found.push(format!("queue: {} of {} were waiting; {why}", time(waited), time(total)));
    }
    let compiling = metrics.get("compilation_time_ms");
    if compiling > 2_000 && compiling * 2 > total {
        found.push(format!(
            "compilation: {} of {} went into planning; look for very many files, columns or nested views",
            time(compiling),
            time(total)
        ));
    }
    let fetching = metrics.get("result_fetch_time_ms");
    if fetching > 2_000 && fetching * 2 > total {
        found.push(format!(
            "fetch: {} of {} went into delivering the result; select fewer rows and columns",
            time(fetching),
            time(total)
        ));
    }
}

fn reading(metrics: &Metrics, found: &mut Vec<String>) {
    let (read, files, pruned) =
        (metrics.get("read_bytes"), metrics.get("read_files_count"), metrics.get("pruned_files_count"));
    if files >= 20 && pruned == 0 {
        found.push(format!(
            "full scan: all {files} files ({}) were read and none was skipped; filter on a partition or clustering \
             column, see `get_table_schema`",
            size(read)
        ));
    } else if files >= 100 && pruned * 4 < files {
        found.push(format!(
            "little pruning: {files} files ({}) were read and {pruned} skipped; cluster the table by the filtered columns",
            size(read)
        ));
    }
    if files >= 200 && read / files < MEBIBYTE {
        found.push(format!("small files: {files} files of {} on average; OPTIMIZE the table", size(read / files)));
    }
    let (rows, produced) = (metrics.get("rows_read_count"), metrics.get("rows_produced_count"));
    if rows >= 1_000_000 && produced.max(1) <= rows / 100_000 && pruned == 0 {
        found.push(format!("selectivity: {rows} rows were read for {produced}; most were not needed"));
    }
    let cached = metrics.get("read_cache_bytes");
    if read >= GIBIBYTE && metrics.find("read_cache_bytes").is_some() && cached * 10 < read {
        found.push(format!(
            "cold: {} of {} came from the disk cache; the same query is faster the next time",
            size(cached),
            size(read)
        ));
    }
}

fn working(metrics: &Metrics, found: &mut Vec<String>) {
    let spilled = metrics.get("spill_to_disk_bytes");
    if spilled > 0 {
        found.push(format!(
            "spill: {} did not fit into memory; a larger warehouse, earlier filters or fewer columns before joins and \
             aggregates help",
            size(spilled)
        ));
    }
    let (tasks, executing) = (metrics.get("task_total_time_ms"), metrics.get("execution_time_ms"));
    if executing >= 10_000 && tasks > 0 && tasks < executing * 2 {
        found.push(format!(
            "skew: {} of work took {}, so about one task ran at a time; look for a join key or group with most of the \
             rows, or for few large files",
            time(tasks),
            time(executing)
        ));
    }
    let photon = metrics.get("photon_total_time_ms");
    if tasks >= 10_000 && metrics.find("photon_total_time_ms").is_some() && photon * 2 < tasks {
        found.push(format!(
            "photon: {} of {} of work ran in Photon; user-defined functions and unusual types kept out the rest",
            time(photon),
            time(tasks)
        ));
    }
}

fn planned(plan: &str, found: &mut Vec<String>) {
    let has = |words: &[&str]| words.iter().any(|word| plan.contains(word));
    if has(&["CartesianProduct", "CartesianProductExec"]) {
        found.push("cross join: the plan multiplies two relations; a join condition seems to be missing".to_owned());
    }
    if has(&["NestedLoopJoin"]) {
        found.push("nested loop: a join without equality compares all pairs of rows".to_owned());
    }
    if has(&["PythonUDF", "BatchEvalPython", "ArrowEvalPython"]) {
        found.push("python: rows go through Python functions, which is slow; built-in functions are not".to_owned());
    }
    let filters = ["PartitionFilters", "PushedFilters", "RequiredDataFilters", "DataFilters"];
    let is_scan = has(&["Scan "]);
    let is_filtered = plan.lines().any(|line| {
        filters.iter().any(|name| {
            let rest = line.split_once(name).map(|(_, rest)| rest.trim_start_matches([':', ' ']));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with("[]"))
        })
    });
    if is_scan && !is_filtered && has(&filters) {
        found.push("no filter reaches the scan: whole tables are read".to_owned());
    }
}

fn time(milliseconds: i64) -> String {
    match milliseconds {
        ..1_000 => format!("{milliseconds} ms"),
        1_000..120_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min", milliseconds / 60_000),
    }
}

fn size(bytes: i64) -> String {
    match bytes {
        ..MEBIBYTE => format!("{} KiB", bytes / 1_024),
        MEBIBYTE..GIBIBYTE => format!("{} MiB", bytes / MEBIBYTE),
        _ => format!("{}.{} GiB", bytes / GIBIBYTE, bytes % GIBIBYTE * 10 / GIBIBYTE),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{of, times};

    fn kinds(metrics: Value) -> Vec<String> {
        let found = of(Some(&json!({ "metrics": metrics })), None);
        found.iter().map(|finding| finding.split([':', ';']).next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn each_finding_has_its_sign() {
        let gibibytes = |count: i64| count << 30;
        for (metrics, expected) in [
            (
                json!({ "total_time_ms": 900, "read_files_count": 3, "pruned_files_count": 0 }),
                "nothing stands out in what was measured",
            ),
            (json!({ "result_from_cache": true, "spill_to_disk_bytes": 5 }), "cache"),
            (json!({ "read_files_count": "40", "pruned_files_count": 0, "read_bytes": gibibytes(40) }), "full scan"),
            (
                json!({ "read_files_count": 400, "pruned_files_count": 1, "read_bytes": gibibytes(400) }),
                "little pruning",
            ),
            (json!({ "read_files_count": 400, "pruned_files_count": 4000, "read_bytes": 400_000 }), "small files"),
            (json!({ "rows_read_count": 90_000_000, "rows_produced_count": 3 }), "selectivity"),
            (json!({ "read_bytes": gibibytes(9), "read_cache_bytes": 0 }), "cold"),
            (json!({ "spill_to_disk_bytes": gibibytes(2) }), "spill"),
            (json!({ "execution_time_ms": 60_000, "task_total_time_ms": 70_000 }), "skew"),
            (
                json!({ "execution_time_ms": 9_000, "task_total_time_ms": 70_000, "photon_total_time_ms": 100 }),
                "photon",
            ),
            (json!({ "total_time_ms": 5_000, "compilation_time_ms": 4_000 }), "compilation"),
            (json!({ "total_time_ms": 5_000, "result_fetch_time_ms": 4_000 }), "fetch"),
            (
                json!({
                    "total_time_ms": 60_000, "overloading_queue_start_timestamp": 1_000,
                    "query_compilation_start_timestamp": 41_000,
                }),
                "queue",
            ),
        ] {
            assert_eq!(kinds(metrics.clone()), [expected], "{metrics}");
        }
    }

    #[test]
    fn plans_tell_of_joins_and_scans() {
        let found = |plan: &str| of(None, Some(plan)).join("; ");
        assert!(found("CartesianProduct (3)").contains("cross join"));
        assert!(found("BroadcastNestedLoopJoin Inner").contains("nested loop"));
        assert!(found("BatchEvalPython [f(x)]").contains("python"));
        assert!(found("Scan parquet t\nPartitionFilters: []\nPushedFilters: []").contains("whole tables are read"));
        assert_eq!(found("Scan parquet t\nPushedFilters: [IsNotNull(x)]"), "nothing stands out");
        assert_eq!(found("Scan parquet t"), "nothing stands out");
        assert_eq!(of(Some(&json!({})), None), ["there is neither a plan nor anything measured to look at"]);
        assert_eq!(of(Some(&json!({})), Some("Scan parquet t")), ["nothing stands out"]);
    }

    #[test]
    fn times_are_those_that_are_known() {
        let query = json!({ "duration": 700, "metrics": { "compilation_time_ms": "200", "execution_time_ms": null } });
        assert_eq!(times(&query), json!({ "total": 700, "compiling": 200 }));
        assert_eq!(times(&json!({})), json!({}));
    }
}
