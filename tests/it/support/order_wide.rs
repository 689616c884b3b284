//! What `order_wide` shows.

use std::process::Child;

use super::{Outcome, World, wait_for, wait_until_frozen};

const COLUMNS: &str =
    "order_id, order_date, customer_id, customer_name, employee_id, employee_name, employee_photo_url, product_id,
    product_name, category_name, supplier_name, unit_price, quantity, discount, total_amount, _source_ts_ms";

impl World {
    pub fn build(&self, args: &[&str]) -> Outcome {
        self.run("build-order-wide", args)
    }

    /// The live rows without what differs from build to build. They must be the same whether FINAL merges across partitions, or
    /// each partition by itself.
    #[track_caller]
    pub fn order_wide(&self) -> String {
        let rows = |each_partition: u8| {
            self.clickhouse(&format!(
                "SELECT {COLUMNS} FROM northwind_dw.order_wide FINAL ORDER BY order_id, product_id, order_date
                 SETTINGS output_format_decimal_trailing_zeros = 1, do_not_merge_across_partitions_select_final = {each_partition} FORMAT TSVRaw"
            ))
        };
        let (across, each) = (rows(0), rows(1));
        assert_eq!(across, each, "a partition shows a line that has moved, or was deleted");
        across
    }

    /// A build that has stopped itself at `point`.
    pub fn build_frozen_at(&self, point: &str, args: &[&str]) -> Child {
        let args = [&["--stop-at", point], args].concat();
        let mut child = self.command("build-order-wide", &args).spawn().expect("starting the job");
        wait_until_frozen(&mut child, point);
        child
    }

    /// SIGKILL of a build at `point`; then waits until PostgreSQL has noticed that its session is gone.
    pub fn kill_build_at(&self, point: &str, args: &[&str]) {
        let mut child = self.build_frozen_at(point, args);
        child.kill().expect("killing the job");
        child.wait().expect("waiting for the job");
        self.wait_until_no_build_has_a_session();
    }

    pub fn wait_until_no_build_has_a_session(&self) {
        let mut client = self.postgres();
        let sessions = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name LIKE 'build-order-wide run%'";
        wait_for("the build's session to end", || {
            client.query_one(sessions, &[]).expect("sessions").get::<_, i64>(0) == 0
        });
    }
}
