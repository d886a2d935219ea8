//! What Genie makes of a question. Which question is asked is told by its words; of others Genie says what it knows.
//!
//! Derived, and made for learning: `fail with TYPE` fails with that type of error, `a missing table` with SQL that does
//! not run, `cancel this` is canceled, and `an expired result` is answered by a result that is gone.

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// SQL that really runs, and what its answer is. The result may be gone when it is asked for.
    Query {
        description: String,
        sql: String,
        expires: bool,
    },
    Text {
        content: String,
        is_question: bool,
    },
    Failure {
        kind: String,
        message: String,
    },
    Canceled,
}

/// The words of a question, what the answer is, and its SQL.
type Question = (&'static [&'static str], &'static str, &'static str);

const RETAIL: [Question; 4] = [
    (
        &["revenue", "channel"],
        "Revenue of all orders that were not cancelled, per channel.",
        "SELECT channel, sum(total) AS revenue FROM samples.retail.orders WHERE status <> 'cancelled' GROUP BY channel ORDER BY revenue DESC",
    ),
    (
        &["top", "customer"],
        "The customers with the highest revenue.",
        "SELECT name, country, orders, revenue FROM main.sales.top_customers ORDER BY revenue DESC LIMIT 5",
    ),
    (
        &["order", "month"],
        "The number of orders per month.",
        "SELECT date_trunc('MONTH', order_ts) AS month, count(*) AS orders FROM samples.retail.orders GROUP BY 1 ORDER BY 1",
    ),
    (
        &["customer", "countr"],
        "The number of customers per country.",
        "SELECT country, count(*) AS customers FROM samples.retail.customers GROUP BY country ORDER BY customers DESC, country",
    ),
];

const TAXI: [Question; 3] = [
    (
        &["fare", "payment"],
        "The average fare per kind of payment.",
        "SELECT payment, avg(fare_amount) AS average_fare FROM samples.taxi.trips GROUP BY payment ORDER BY payment",
    ),
    (
        &["trip", "day"],
        "The number of trips per day.",
        "SELECT CAST(pickup_time AS DATE) AS day, count(*) AS trips FROM samples.taxi.trips GROUP BY 1 ORDER BY 1",
    ),
    (
        &["long", "trip"],
        "The ten longest trips.",
        "SELECT trip_id, distance_miles, fare_amount FROM samples.taxi.trips ORDER BY distance_miles DESC, trip_id LIMIT 10",
    ),
];

const MISSING: &str = "SELECT * FROM samples.retail.a_missing_table";

/// What a space is asked; one that clients made knows everything.
fn questions(space: &str) -> Vec<&'static Question> {
    match space {
        super::RETAIL => RETAIL.iter().collect(),
        super::TAXI => TAXI.iter().collect(),
        _ => RETAIL.iter().chain(&TAXI).collect(),
    }
}

/// What could be asked next.
pub(super) fn suggestions(space: &str, content: &str) -> Vec<&'static str> {
    let texts = [
        ("revenue", "What is the revenue per channel?"),
        ("top", "Who are the top customers?"),
        ("order", "How many orders were there per month?"),
        ("fare", "What is the average fare per payment?"),
        ("day", "How many trips were there per day?"),
        ("long", "Which trips were the longest?"),
    ];
    let asked = content.to_lowercase();
    let known = questions(space);
    let fits = |word: &&str| known.iter().any(|(words, ..)| words.contains(word)) && !asked.contains(*word);
    texts.iter().filter(|(word, _)| fits(word)).map(|(_, text)| *text).take(3).collect()
}

/// The plan for a question in a conversation whose last query was `before`.
pub(super) fn plan(space: &str, content: &str, before: Option<&str>) -> Plan {
    let asked = content.to_lowercase();
    if let Some((_, rest)) = content.split_once("fail with ") {
        let kind: String = rest.chars().take_while(|letter| letter.is_ascii_uppercase() || *letter == '_').collect();
        return Plan::Failure { message: format!("Genie was asked to fail with {kind}."), kind };
    }
    if asked.contains("cancel this") {
        return Plan::Canceled;
    }
    let query = |description: &str, sql: &str| Plan::Query {
        description: description.to_owned(),
        sql: sql.to_owned(),
        expires: asked.contains("expired result"),
    };
    if asked.contains("missing table") {
        return query("Everything of a table that is not there.", MISSING);
    }
    let known = questions(space);
    if let Some((_, description, sql)) = known.iter().find(|(words, ..)| words.iter().all(|word| asked.contains(word)))
    {
        return query(description, sql);
    }
    if asked.contains("expired result") {
        return known.first().map_or(Plan::Canceled, |(_, description, sql)| query(description, sql));
    }
    if let Some(before) = before {
        return follow_up(&asked, before);
    }
    let told: Vec<_> = known.iter().map(|(_, description, _)| *description).collect();
    Plan::Text {
        content: format!("I can tell: {} Which of these do you want to know?", told.join(" ")),
        is_question: true,
    }
}

/// What a question without words of its own makes of the answer before.
fn follow_up(asked: &str, before: &str) -> Plan {
    let number = asked.split(|letter: char| !letter.is_ascii_digit()).find(|digits| !digits.is_empty());
    let query = |description: String, sql: String| Plan::Query { description, sql, expires: false };
    if let Some(number) =
        number.filter(|_| ["top", "first", "only", "just", "limit"].iter().any(|word| asked.contains(word)))
    {
        let number: String = number.chars().take(6).collect();
        return query(
            format!("The first {number} rows of the answer before."),
            format!("SELECT * FROM ({before}) AS answer LIMIT {number}"),
        );
    }
    if asked.contains("how many") || asked.contains("count") {
        let sql = format!("SELECT count(*) AS count FROM ({before}) AS answer");
        return query("The number of rows of the answer before.".to_owned(), sql);
    }
    Plan::Text { content: format!("The answer before is what this query gives: {before}"), is_question: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_make_plans() {
        let is_query = |plan| matches!(plan, Plan::Query { .. });
        assert!(is_query(plan(super::super::RETAIL, "Who are our top customers?", None)));
        assert!(!is_query(plan(super::super::TAXI, "Who are our top customers?", None)));
        assert!(is_query(plan("mine", "Average fare by payment", None)));
        let Plan::Query { sql, .. } = plan(super::super::RETAIL, "only the first 3", Some("SELECT 1")) else {
            panic!()
        };
        assert_eq!(sql, "SELECT * FROM (SELECT 1) AS answer LIMIT 3");
        assert_eq!(plan("x", "please cancel this", None), Plan::Canceled);
        let Plan::Failure { kind, .. } = plan("x", "fail with SQL_EXECUTION_EXCEPTION now", None) else { panic!() };
        assert_eq!(kind, "SQL_EXECUTION_EXCEPTION");
    }
}
