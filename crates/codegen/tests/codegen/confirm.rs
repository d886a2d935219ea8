//! What an entry may say of when a person is asked.

use crate::allowlist::{check, check_entry};

#[test]
fn confirmation() {
    check_entry("confirm: always", "3:14: what only reads asks nobody: remove `confirm`");
    check(
        "
        operations:
          jobs.jobs.delete: { tool: delete_job, confirm: sometimes, risk: destructive, title: Delete, description: Job., params: { job_id: { description: Id. } } }
          jobs.jobs.run_now: { reach: write, confirm: ask, summary: \"Runs a job now.\" }
        ",
        "
        allowlist/jobs.yaml:2:50: `confirm: sometimes` is unknown; there are `never`, `sql_writes`, `always`
        allowlist/jobs.yaml:3:47: `confirm: ask` is unknown; there are `never`, `sql_writes`, `always`
        ",
    );
    // Nothing would ever be asked.
    check(
        "
        operations:
          jobs.jobs.run_now: { reach: write, confirm: sql_writes, summary: \"Runs a job now.\" }
          jobs.jobs.list: { typed: true }
        composites:
          run_notebook: { risk: write, confirm: sql_writes, title: Run, description: Runs., uses: [jobs.jobs.list], verify: { note: Look. } }
        ",
        "
        allowlist/jobs.yaml:2:3: `jobs.jobs.run_now` runs no statement to ask about
        allowlist/jobs.yaml:5:3: `run_notebook` does not use `sql.statement_execution.execute_statement`: it has no statement to ask about
        ",
    );
}
