//! What `order_wide` shows.

use std::process::Child;

use super::{Outcome, World, kill};

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
        self.frozen_at(point, "build-order-wide", args)
    }

    /// SIGKILL of a build at `point`; then waits until PostgreSQL has noticed that its session is gone.
    pub fn kill_build_at(&self, point: &str, args: &[&str]) {
        kill(self.build_frozen_at(point, args));
        self.wait_until_no_session_of("build-order-wide");
    }
}
