//! Python runs as Python does, or is refused.

use serde_json::Map;

use super::*;
use crate::areas::runs::Values;
use crate::sql::Cancel;
use crate::{Options, seed};

fn call() -> Call {
    Call {
        spec: Map::new(),
        parameters: BTreeMap::new(),
        values: Values::default(),
        run_number: 1,
        attempt: 0,
        ends: 0,
        cancel: Cancel::default(),
    }
}

struct Notebook {
    workspace: Workspace,
    names: Names,
}

impl Notebook {
    fn new() -> Self {
        let workspace = Workspace::new(&Options::default(), "http://sandbox.test".to_owned());
        seed::fill(&workspace, true).unwrap();
        Self { workspace, names: Names::default() }
    }

    /// What a cell prints and what its last line is worth, or its error.
    fn run(&mut self, source: &str) -> Result<String, String> {
        let call = call();
        let ran = run(&self.workspace, &call, &mut self.names, true, [Cell::Python(source)]);
        match ran.done.error {
            Some(error) => Err(error),
            None => Ok(ran.logs + &ran.last.unwrap_or_default()),
        }
    }
}

#[test]
fn code_runs_as_python_runs_it() {
    let mut notebook = Notebook::new();
    for (source, printed) in [
        ("1 + 2 * 3 ** 2, -7 // 2, -7 % 3, 7 / 2, 2 ** -1, 7.5 // 2", "(19, -4, 2, 3.5, 0.5, 3.0)"),
        ("1e16, 1e-5, 0.1 + 0.2, 100.0, float('nan'), 1_000", "(1e+16, 1e-05, 0.30000000000000004, 100.0, nan, 1000)"),
        ("1 < 2 < 3, 1 == 1.0 == True, 'a' in 'cat', not 0, None is None", "(True, True, True, True, True)"),
        ("0 or 'x', 1 and 2, [] or None, 5 if 0 else 6", "('x', 2, None, 6)"),
        (r#""it's", 'say "hi"', 'a\n', r'a\n', 'a' 'b'"#, r#"("it's", 'say "hi"', 'a\n', 'a\\n', 'ab')"#),
        (
            "x = [1, 2, 3]\ny = x\ny.append(4)\nx[-1], x[1:3], len(x), sum(x), max(x), 2 in x",
            "(4, [2, 3], 4, 10, 4, True)",
        ),
        (
            "d = {'a': 1}\nd['b'] = 2\nd['a'] += 5\nfor k, v in d.items():\n    print(k, v)\nd",
            "a 6\nb 2\n{'a': 6, 'b': 2}",
        ),
        (
            "t = 0\nfor i in range(10):\n    if i % 2:\n        continue\n    if i > 6: break\n    t += i\nprint(t)",
            "12\n",
        ),
        ("n = 3\nwhile n:\n    n -= 1\nn", "0"),
        ("def f(a, b=2):\n    '''adds'''\n    return a + b\nprint(f(1), f(1, b=5), f(b=1, a=1))", "3 6 2\n"),
        ("def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(12)", "144"),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    print('caught', e)\nfinally:\n    print('end')",
            "caught division by zero\nend\n",
        ),
        (
            "try:\n    {}['k']\nexcept (ValueError, LookupError) as e:\n    print(type(e).__name__, e, repr(e))",
            "KeyError 'k' KeyError('k')\n",
        ),
        ("try:\n    x = int('5')\nexcept ValueError:\n    x = 0\nelse:\n    x += 1\nx", "6"),
        ("[n * n for n in range(5) if n != 2]", "[0, 1, 9, 16]"),
        (
            "name, n = 'x', 1234.5\nprint(f'{name!r} {n:,.2f} {n:>10} {{}} {name:>3}|{7:03d}|{0.256:.1%}')",
            "'x' 1,234.50     1234.5 {}   x|007|25.6%\n",
        ),
        (
            "' a,b '.strip().split(','), '-'.join(['a', 'b']), 'abc'.upper()[1], 'x' * 3",
            "(['a', 'b'], 'a-b', 'B', 'xxx')",
        ),
        (
            "import json\nprint(json.dumps({'a': [1, None, 'é']}), json.loads('{\"z\": 1, \"a\": 2}'))",
            "{\"a\": [1, null, \"\\u00e9\"]} {'z': 1, 'a': 2}\n",
        ),
        ("assert 1 == 1, 'fine'\nfor a, b in zip([1, 2], 'xy'): print(a, b, end=';')", "1 x;2 y;"),
        (
            "x: int = 5\nsorted([3, 1, 2], reverse=True), round(2.5), round(2.675, 2), abs(-3), str(1.0)",
            "([3, 2, 1], 2, 2.67, 3, '1.0')",
        ),
        (
            "(1,), (), [[]], {}, range(0, 5, 2), list(range(3)), ValueError('x')",
            "((1,), (), [[]], {}, range(0, 5, 2), [0, 1, 2], ValueError('x'))",
        ),
        (
            "total = (1 +\n         2)\n# a comment\nif total == 3:\n\n    # inside\n    print('three')\nelif total:\n    pass\nelse:\n    pass",
            "three\n",
        ),
        // Tabs that every width takes alike, and a blank before a tab that reaches as far.
        ("if 1:\n\tif 1:\n\t\tprint(1)\n\tprint(2)", "1\n2\n"),
        ("if 1:\n \tprint(1)\n \tprint(2)", "1\n2\n"),
    ] {
        assert_eq!(notebook.run(source).as_deref(), Ok(printed), "{source}");
    }
}

#[test]
fn what_python_fails_over_fails_here() {
    for (source, error) in [
        ("assert 1 == 2\nprint('passed')", "AssertionError"),
        ("assert 1 == 2, 'no match'", "AssertionError: no match"),
        ("def check(n):\n    raise ValueError(f'bad {n}')\ncheck(3)", "ValueError: bad 3"),
        ("for i in range(3):\n    if i == 2:\n        raise KeyError('k')", "KeyError: 'k'"),
        ("try:\n    raise ValueError('x')\nexcept TypeError:\n    pass", "ValueError: x"),
        ("try:\n    raise ValueError('x')\nexcept ValueError:\n    raise", "ValueError: x"),
        ("try:\n    pass\nfinally:\n    nothing", "NameError: name 'nothing' is not defined"),
        ("x = 1\ndef f():\n    print(x)\n    x = 2\nf()", "UnboundLocalError: cannot access local variable 'x'"),
        ("'a' + 1", "TypeError: can only concatenate str (not \"int\") to str"),
        ("1 + None", "TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'"),
        ("[1][3]", "IndexError: list index out of range"),
        ("a, b = [1]", "ValueError: not enough values to unpack (expected 2, got 1)"),
        ("len(5)", "TypeError: object of type 'int' has no len()"),
        ("5()", "TypeError: 'int' object is not callable"),
        ("None.x", "AttributeError: 'NoneType' object has no attribute 'x'"),
        ("int('x')", "ValueError: invalid literal for int() with base 10: 'x'"),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("time.sleep(1)", "NameError: name 'time' is not defined"),
        ("if True:\nprint(1)", "SyntaxError"),
        ("print('a'", "SyntaxError"),
        ("x = = 1", "SyntaxError"),
        // Each is well for one width of tabs.
        ("if 1:\n\tx = 1\n        print(x)", "TabError"),
        ("if 1:\n        x = 1\n\tprint(x)", "TabError"),
        ("if 1:\n  if 1:\n\tprint(1)", "TabError"),
        ("if 1:\n    if 1:\n        x = 1\n\tprint(x)", "TabError"),
        ("if 1:\n    if 1:\n\t\tx = 1\n    print(1)\n  \tprint(2)", "TabError"),
    ] {
        let seen = Notebook::new().run(source).unwrap_err();
        assert!(seen.starts_with(error), "{source}: {seen}");
    }
}

/// What is not run must not pass.
#[test]
fn what_is_not_run_is_refused_by_name_and_line() {
    for (source, named, line) in [
        ("print(1)\nopen('/tmp/x', 'w').write('x')", "`open`", 2),
        ("import os\n\nos.remove('/tmp/x')", "`os.remove`", 3),
        ("x = 1\nclass A:\n    pass", "`class`", 2),
        ("with open('x') as f:\n    pass", "`with`", 1),
        ("del x", "`del`", 1),
        ("x = lambda: 1", "`lambda`", 1),
        ("x = {1, 2}", "sets", 1),
        ("sum(x for x in [1])", "generators", 1),
        ("x = 1 | 2", "`|`", 1),
        ("def f():\n    global x\n    x = 1", "`global`", 2),
        ("def f(*args):\n    pass", "`*`", 1),
        ("while True:\n    pass", "runs this long", 2),
        ("x = []\nx.append(x)", "holds itself", 2),
        ("2 ** 64", "64 bits", 1),
        ("'x' * 10 ** 9", "this long", 1),
        ("'%s' % 1", "`%` on texts", 1),
        ("def f(n):\n    return f(n + 1)\nf(0)", "calls within calls", 2),
        ("try:\n    open('x')\nexcept Exception:\n    print('caught')", "`open`", 2),
        ("df = spark.table('samples.taxi.trips')\ndf.toPandas()", "`.toPandas` of a DataFrame", 2),
        ("dbutils.fs.rm('/x')", "`dbutils.fs`", 1),
        ("%sh rm -rf /", "`%sh`", 1),
        ("print(print)", "the text of functions", 1),
        ("import pandas as pd\npd.DataFrame()", "`pandas.DataFrame`", 2),
    ] {
        let seen = Notebook::new().run(source).unwrap_err();
        assert!(seen.starts_with("NotImplementedError"), "{source}: {seen}");
        assert!(seen.contains(named) && seen.ends_with(&format!("(line {line})")), "{source}: {seen}");
    }
}

#[test]
fn a_source_has_a_bound() {
    let mut notebook = Notebook::new();
    let long = notebook.run(&format!("if 0:\n  x = 1\n{}", "elif 0:\n  x = 1\n".repeat(200_000)));
    assert!(long.as_ref().is_err_and(|error| error.contains("more than 200000 words")), "{long:?}");
    assert_eq!(notebook.run(&format!("len('{}')", "a".repeat(4_000_000))).as_deref(), Ok("4000000"), "one text");
}

#[test]
fn frames_count_show_and_collect() {
    let mut notebook = Notebook::new();
    let sql = "df = spark.sql(\"SELECT * FROM VALUES (1, 'a', 1.50), (2, NULL, 2.25) AS t(n, s, d)\")";
    assert_eq!(notebook.run(sql).as_deref(), Ok(""));
    for (source, printed) in [
        ("df.count(), df.columns, df.filter('n > 1').count()", "(2, ['n', 's', 'd'], 1)"),
        ("df.collect()", "[Row(n=1, s='a', d=Decimal('1.50')), Row(n=2, s=None, d=Decimal('2.25'))]"),
        (
            "[row.n + row['n'] for row in df.collect()], df.first()[1], df.take(1)",
            "([2, 4], 'a', [Row(n=1, s='a', d=Decimal('1.50'))])",
        ),
        (
            "df.show()",
            "+---+----+----+\n|  n|   s|   d|\n+---+----+----+\n|  1|   a|1.50|\n|  2|NULL|2.25|\n+---+----+----+\n\n",
        ),
        (
            "df.select('n').orderBy('n', ascending=False).show(1, truncate=False)",
            "+---+\n|n  |\n+---+\n|2  |\n+---+\nonly showing top 1 row\n\n",
        ),
        ("df.groupBy('s').count().count()", "2"),
        ("spark.table('samples.retail.orders').count()", "1500"),
        (
            "df.write.mode('overwrite').saveAsTable('main.default.made')\nspark.sql('SELECT count(*) AS n FROM main.default.made').collect()[0]['n']",
            "2",
        ),
        (
            "try:\n    spark.sql('SELECT * FROM no.such.thing')\nexcept Exception as e:\n    print(type(e).__name__, 'TABLE_OR_VIEW_NOT_FOUND' in str(e))",
            "AnalysisException True\n",
        ),
        ("spark.sql('SHOW SCHEMAS IN samples').count() > 1", "True"),
        ("df", "DataFrame[n: int, s: string, d: decimal(3,2)]"),
    ] {
        assert_eq!(notebook.run(source).as_deref(), Ok(printed), "{source}");
    }
}

/// Deep and long code ends with an answer, and so does what it leaves.
#[test]
fn deep_code_does_no_harm() {
    let mut notebook = Notebook::new();
    for source in [
        format!("x = {}1{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("x = {}1", "-".repeat(50_000)),
        format!("x = {}1", "not ".repeat(50_000)),
        format!("x = {}1", "2 ** ".repeat(50_000)),
        format!("x = {}", "[".repeat(50_000)),
        format!("f'{}'", "{".repeat(50_001)),
        (0..2_000).map(|depth| format!("{}if True:\n", " ".repeat(depth))).collect(),
        "x = []\nfor i in range(400000):\n    x = [x]\nprint(x)\n".to_owned(),
    ] {
        assert!(notebook.run(&source).is_err(), "{}", source.chars().take(20).collect::<String>());
    }
    let nested = "x = []\nfor i in range(400000):\n    x = [x]\nx = 'dropped'\nx";
    assert_eq!(notebook.run(nested).as_deref(), Ok("'dropped'"));
    let long = format!("x = 1{}\nx", " + 1".repeat(50_000));
    assert_eq!(notebook.run(&long).as_deref(), Ok("50001"));
    let calls = format!("x = 'a'{}\nx", ".upper()".repeat(20_000));
    assert_eq!(notebook.run(&calls).as_deref(), Ok("'A'"));
}

/// Lists that hold one list a thousand times, in twenty levels, are small in memory and endless to walk.
#[test]
fn what_is_endless_to_walk_is_refused() {
    let deep = "x = 'a'\nfor i in range(20):\n    x = [x] * 1000\ny = 'a'\nfor i in range(20):\n    y = [y] * 1000\n";
    let wide = "x = [0] * 100000\nl = [x] * 10000\n";
    let letters = "x = ['a' * 100000] * 100000\n";
    for (start, last) in [
        (deep, "z = []\nz.append(x)"),
        (deep, "print(x)"),
        (deep, "str(x)"),
        (deep, "f'{x!r}'"),
        (deep, "x"),
        (deep, "x == y"),
        (deep, "x < y"),
        (deep, "x in [y]"),
        (deep, "raise ValueError(x)"),
        (deep, "import json\njson.dumps(x)"),
        (deep, "dbutils.notebook.exit(x)"),
        (deep, "dbutils.jobs.taskValues.set('a', x)"),
        (deep, "{}[x]"),
        (wide, "sorted(l)"),
        (wide, "l.sort()"),
        (wide, "l.count(x)"),
        (wide, "max(l)"),
        (wide, "l.index([1])"),
        (letters, "print(x)"),
        (letters, "print(*x)\nprint(x, sep='')"),
        (letters, "x == ['a' * 100000] * 100000\nmin(x, ['a' * 100000] * 100000)"),
        ("t = ()\nfor i in range(60):\n    t = (t, t)\n", "isinstance(1, t)"),
        ("", "f\"{'a':>99999999999999999999999}\""),
        ("", "f\"{'a':>999999999}\""),
        ("", "9 ** 9 ** 9"),
        ("", "list(range(10 ** 12))"),
        ("", "sum(range(10 ** 12))"),
        ("", "for i in range(10 ** 12): pass"),
        ("", "'a' * 10 ** 12"),
        ("", "[spark.sql(\"SELECT repeat('a', 10000000) AS a\").collect() for i in range(100)]"),
    ] {
        let told = Notebook::new().run(&format!("{start}{last}"));
        assert!(told.is_err(), "{last}: {told:?}");
    }
    assert_eq!(Notebook::new().run("x = [[1, 2]] * 3\nx[0].append(3)\nx == [[1, 2, 3]] * 3"), Ok("True".to_owned()));
}

#[test]
fn what_is_sorted_keeps_the_order_of_equals() {
    let pairs = "x = [(2, 'b'), (1, 'c'), (2, 'a'), (1, 'a')]\n";
    for (source, printed) in [
        ("sorted(x)", "[(1, 'a'), (1, 'c'), (2, 'a'), (2, 'b')]"),
        ("sorted(x, reverse=True)", "[(2, 'b'), (2, 'a'), (1, 'c'), (1, 'a')]"),
        ("sorted([1, True, 1.0, 0])", "[0, 1, True, 1.0]"),
        ("sorted([1, True, 2, 1.0], reverse=True)", "[2, 1, True, 1.0]"),
    ] {
        assert_eq!(Notebook::new().run(&format!("{pairs}{source}")).as_deref(), Ok(printed), "{source}");
    }
    assert!(Notebook::new().run("sorted([1, 'a', 2])").is_err_and(|error| error.starts_with("TypeError")));
}

#[test]
fn code_that_was_cancelled_stops() {
    let mut notebook = Notebook::new();
    let call = call();
    call.cancel.cancel();
    for source in ["while True: pass", "spark.sql('SELECT count(*) FROM range(100000000000)').show()"] {
        let ran = run(&notebook.workspace, &call, &mut notebook.names, true, [Cell::Python(source)]);
        assert_eq!(ran.done.result, "FAILED", "{source}");
    }
}

#[test]
fn the_memory_of_names_is_counted_once_for_what_they_share() {
    let mut notebook = Notebook::new();
    notebook.run("x = [0] * 100000\ny = [x] * 1000\nz = [y] * 1000").unwrap();
    let bytes = notebook.names.bytes();
    assert!((3_000_000..10_000_000).contains(&bytes), "{bytes}");
}

#[test]
fn a_long_text_is_printed_and_given() {
    let source = "x = 'a' * 500000\nprint(x)\ndbutils.notebook.exit(x)";
    let call = call();
    let mut notebook = Notebook::new();
    let ran = run(&notebook.workspace, &call, &mut notebook.names, true, [Cell::Python(source)]);
    assert_eq!((ran.logs.len(), ran.done.exit.map(|exit| exit.len())), (500_001, Some(500_000)));
}
