//! Statements of any kind leave the engine to the next one.

use super::*;

#[test]
fn a_statement_without_end_leaves_the_engine_to_the_next() {
    let engine = Engine { longest: Duration::from_millis(20), ..Engine::default() };
    let (catalog, session) = (Mutex::default(), Session::new("someone", 0));
    let run = |sql| engine.run(&catalog, &session, sql, Limits::default(), &Cancel::default());
    for sql in [
        "SELECT count(*) FROM range(100000000000)",
        // One call of a function may take as long as many steps of a query.
        "SELECT repeat('a', 300000) LIKE '%' || repeat('a', 100000) || 'b'",
        "SELECT length(regexp_replace(repeat('a', 1000000), '(b?)a', repeat('$1', 100000)))",
        "SELECT regexp_count(repeat('a', 1000000), '(?:a{1,200}b)|c|(?:a)')",
        "SELECT max(m) FROM (SELECT median(id) OVER (ORDER BY id) AS m FROM range(100000))",
        "SELECT size(zip_with(sequence(1, 100000), sequence(1, 100000), (x, y) -> x + y))",
    ] {
        let error = run(sql).unwrap_err();
        assert!(error.message.contains("statements that run this long"), "{sql}: {}", error.message);
    }
    assert_eq!(run("SELECT 1").unwrap().rows, [[Some("1".to_owned())]]);
}

#[test]
fn work_on_many_values_grows_with_their_number() {
    let (engine, catalog, session) = (Engine::default(), Mutex::default(), Session::new("someone", 0));
    let sql = "SELECT mode(id), length(string_agg(DISTINCT CAST(id AS STRING), ',')), mode(id % 3),
        length(trim(BOTH repeat('ab', 1000000) || 'c' FROM repeat('c', 1000000))),
        instr(repeat('a', 16000000), repeat('a', 4000000) || 'b') FROM range(200000)";
    let table = engine.run(&catalog, &session, sql, Limits::default(), &Cancel::default()).unwrap();
    assert_eq!(table.rows, [["0", "1288889", "0", "0", "0"].map(|cell| Some(cell.to_owned()))]);
}

#[test]
fn a_search_by_a_large_pattern_in_a_long_text_is_refused() {
    let (engine, catalog, session) = (Engine::default(), Mutex::default(), Session::new("someone", 0));
    let sql = "SELECT repeat('ab', 5000000) RLIKE '[ab]*a[ab]{5000}c'";
    let error = engine.run(&catalog, &session, sql, Limits::default(), &Cancel::default()).unwrap_err();
    assert!(error.message.contains("a regular expression this large"), "{}", error.message);
}

#[test]
fn an_interrupted_change_says_so_and_changes_nothing() {
    let engine = Engine { longest: Duration::from_millis(200), ..Engine::default() };
    let (catalog, session) = (Mutex::default(), Session::new("someone", 0));
    let run = |sql| engine.run(&catalog, &session, sql, Limits::default(), &Cancel::default());
    run("CREATE CATALOG main").unwrap();
    run("CREATE TABLE t AS SELECT id, 'a' AS name FROM range(100)").unwrap();
    for sql in [
        "UPDATE t SET name = (SELECT CAST(count(*) AS STRING) FROM range(10000000000))",
        "INSERT INTO t SELECT id, 'b' FROM range(10000000000)",
        "DELETE FROM t WHERE (SELECT count(*) FROM range(10000000000)) > id",
    ] {
        let error = run(sql).unwrap_err();
        assert!(error.message.contains("statements that run this long"), "{sql}: {}", error.message);
    }
    let rows = run("SELECT count(*), min(name), max(name) FROM t").unwrap().rows;
    assert_eq!(rows, [["100", "a", "a"].map(|cell| Some(cell.to_owned()))]);
}

#[test]
fn a_statement_that_waits_for_another_one_can_be_cancelled() {
    let engine = Engine::default();
    let (catalog, session) = (Mutex::default(), Session::new("someone", 0));
    let first = engine.turn(&Cancel::default()).unwrap();
    let cancel = Cancel::default();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| engine.run(&catalog, &session, "SELECT 1", Limits::default(), &cancel));
        cancel.cancel();
        assert!(second.join().unwrap().is_err());
    });
    drop(first);
    assert!(engine.run(&catalog, &session, "SELECT 1", Limits::default(), &Cancel::default()).is_ok());
}

#[test]
fn what_would_take_much_memory_is_refused() {
    let (engine, catalog, session) = (Engine::default(), Mutex::default(), Session::new("someone", 0));
    let nulls = vec!["NULL"; 1_000].join(", ");
    for (sql, why) in [
        (&*format!("SELECT {nulls} FROM range(1000000)"), "statements that take this much memory"),
        ("SELECT size(split(repeat('a', 16000000), ''))", "arrays of more than a million items"),
        ("SELECT json_array_length('[' || repeat('{},', 2000000) || '{}]')", "JSON of more than"),
        ("SELECT get_json_object('[' || repeat('[],', 2000000) || '0]', '$[0]')", "JSON of more than"),
        (
            "SELECT count(*) FROM (SELECT repeat(CAST(id AS STRING), 1000000) AS x FROM range(1000) ORDER BY x)",
            "statements that take this much memory",
        ),
    ] {
        let error = engine.run(&catalog, &session, sql, Limits::default(), &Cancel::default()).unwrap_err();
        assert!(error.message.contains(why), "{}: {}", sql.get(..60).unwrap_or(sql), error.message);
    }
    assert!(engine.run(&catalog, &session, "SELECT 1", Limits::default(), &Cancel::default()).is_ok());
}
