//! Files of volumes, read by SQL.

use databricks_sandbox::Sandbox;
use serde_json::json;

use crate::client::{Checked, send, start};
use crate::sql::run;

const FOLDER: &str = "/Volumes/main/default/landing/read";

async fn put(sandbox: &Sandbox, name: &str, content: &str) -> Checked {
    let reply = send(sandbox, "PUT", &format!("/api/2.0/fs/files{FOLDER}/{name}"), content.as_bytes()).await?;
    assert_eq!(reply.status, 204, "{}", reply.json());
    Ok(())
}

/// The columns with their types, and the rows; or the message of the error.
async fn read(sandbox: &Sandbox, from: &str) -> Result<(String, String), Box<dyn std::error::Error>> {
    let reply = run(sandbox, &format!("SELECT * FROM {from}")).await?;
    if let Some(message) = reply["status"]["error"]["message"].as_str() {
        return Ok((message.to_owned(), String::new()));
    }
    let columns = reply["manifest"]["schema"]["columns"].as_array().cloned().unwrap_or_default();
    let columns: Vec<_> = columns
        .iter()
        .map(|column| {
            format!("{} {}", column["name"].as_str().unwrap_or("?"), column["type_text"].as_str().unwrap_or("?"))
        })
        .collect();
    let rows = reply["result"].get("data_array").cloned().unwrap_or_else(|| json!([]));
    Ok((columns.join(", "), rows.to_string()))
}

#[tokio::test]
async fn csv_files_are_read_by_their_header_and_their_types() -> Checked {
    let sandbox = start().await?;
    put(&sandbox, "a.csv", "id,name,price,day,ok\n1,\"Bo, \"\"b\"\"\",2.5,2026-01-02,true\n2,,4,2026-01-03,false\n")
        .await?;
    put(&sandbox, "semi.txt", "x;y\n1;2\n").await?;
    let typed = "id INT, name STRING, price DOUBLE, day DATE, ok BOOLEAN, _rescued_data STRING";
    let rows = r#"[["1","Bo, \"b\"","2.5","2026-01-02","true",null],["2",null,"4.0","2026-01-03","false",null]]"#;
    for call in [
        format!("read_files('{FOLDER}/a.csv')"),
        format!("read_files('dbfs:{FOLDER}/a.csv', format => 'csv', header => true) AS t"),
    ] {
        assert_eq!(read(&sandbox, &call).await?, (typed.to_owned(), rows.to_owned()), "{call}");
    }
    assert_eq!(
        read(&sandbox, &format!("read_files('{FOLDER}/semi.txt', format => 'csv', sep => ';', header => 'false')"))
            .await?,
        ("_c0 STRING, _c1 STRING, _rescued_data STRING".to_owned(), r#"[["x","y",null],["1","2",null]]"#.to_owned())
    );
    assert_eq!(
        read(&sandbox, &format!("csv.`{FOLDER}/semi.txt`")).await?,
        ("_c0 STRING".to_owned(), r#"[["x;y"],["1;2"]]"#.to_owned())
    );
    assert_eq!(
        read(&sandbox, &format!("text.`{FOLDER}/semi.txt`")).await?,
        ("value STRING".to_owned(), r#"[["x;y"],["1;2"]]"#.to_owned())
    );
    let count =
        run(&sandbox, &format!("SELECT sum(t.price) FROM read_files('{FOLDER}/a.csv') t WHERE t.id > 1")).await?;
    assert_eq!(count["result"]["data_array"], json!([["4.0"]]), "{count}");
    Ok(())
}

#[tokio::test]
async fn json_files_are_read_by_the_types_of_all_their_rows() -> Checked {
    let sandbox = start().await?;
    put(
        &sandbox,
        "in/a.json",
        "{\"id\": 1, \"tags\": [\"a\"], \"at\": {\"x\": 1}}\n{\"id\": 2.5, \"ok\": true, \"at\": {\"y\": \"z\"}}\n",
    )
    .await?;
    put(&sandbox, "in/_hidden.json", "not read").await?;
    put(&sandbox, "list.json", "[\n  {\"n\": 1},\n  {\"n\": \"two\"}\n]").await?;
    assert_eq!(
        read(&sandbox, &format!("json.`{FOLDER}/in`")).await?,
        (
            "at STRUCT<x: BIGINT, y: STRING>, id DOUBLE, ok BOOLEAN, tags ARRAY<STRING>".to_owned(),
            r#"[["{\"x\":\"1\",\"y\":null}","1.0",null,"[\"a\"]"],["{\"x\":null,\"y\":\"z\"}","2.5","true",null]]"#
                .to_owned()
        )
    );
    assert_eq!(
        read(&sandbox, &format!("read_files('{FOLDER}/list.json', multiLine => true)")).await?,
        ("n STRING, _rescued_data STRING".to_owned(), r#"[["1",null],["two",null]]"#.to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn other_files_are_refused_by_name() -> Checked {
    let sandbox = start().await?;
    put(&sandbox, "bad.csv", "a,b\n1,2,3\n").await?;
    put(&sandbox, "open.csv", "a\n\"x\n").await?;
    put(&sandbox, "bad.json", "{\"a\": 1}\nnope\n").await?;
    put(&sandbox, "data.parquet", "PAR1").await?;
    put(&sandbox, "lines.txt", &"\n".repeat(2_000_000)).await?;
    for (from, expected) in [
        ("read_files('s3://bucket/a.csv')".to_owned(), "outside of volumes"),
        ("csv.`abfss://box@store.test/a.csv`".to_owned(), "outside of volumes"),
        (format!("read_files('{FOLDER}/none.csv')"), "[PATH_NOT_FOUND]"),
        (format!("read_files('{FOLDER}/*.csv')"), "patterns"),
        (format!("read_files('{FOLDER}/data.parquet')"), "`parquet`"),
        (format!("read_files('{FOLDER}/bad.csv', mode => 'PERMISSIVE')"), "the option `mode`"),
        (format!("read_files('{FOLDER}/bad.csv')"), "more cells than the header"),
        (format!("read_files('{FOLDER}/open.csv')"), "a quote is not closed"),
        (format!("read_files('{FOLDER}/bad.json')"), "it is not JSON"),
        (format!("read_files('{FOLDER}/lines.txt', format => 'text')"), "values in SQL"),
    ] {
        let (message, _) = read(&sandbox, &from).await?;
        assert!(message.contains(expected), "{from}: {message}");
    }
    Ok(())
}
