//! What derived tables show.

use std::process::Child;

use super::{Outcome, World, kill};

const COLUMNS: &str =
    "order_id, order_date, customer_id, customer_name, employee_id, employee_name, employee_photo_url, product_id,
    product_name, category_name, supplier_name, unit_price, quantity, discount, total_amount, _source_ts_ms";

const SALES: &str = "day, country, category, orders, lines, quantity, revenue, discount";

/// `agg_sales_daily` by a join of what the tables hold, which knows no membership.
const ADDED_UP: &str = "
    SELECT placed.order_date AS day, coalesce(nullIf(placed.ship_country, ''), customer.country, '') AS country,
           category.category_name AS category, uniqExact(line.order_id) AS orders, count() AS lines, sum(line.quantity) AS quantity,
           toDecimal64(sum(round(toDecimal256(line.unit_price, 4) * line.quantity * (1 - toDecimal256(line.discount, 4)), 2)), 2) AS revenue,
           toDecimal64(sum(round(toDecimal256(line.unit_price, 4) * line.quantity * toDecimal256(line.discount, 4), 2)), 2) AS discount
    FROM (SELECT * FROM northwind_dw.fact_order_details FINAL) AS line
    INNER JOIN (SELECT * FROM northwind_dw.fact_orders FINAL) AS placed ON placed.order_id = line.order_id
    LEFT JOIN (SELECT * FROM northwind_dw.dim_customers FINAL) AS customer ON customer.customer_id = placed.customer_id
    LEFT JOIN (SELECT * FROM northwind_dw.dim_products FINAL) AS product ON product.product_id = line.product_id
    LEFT JOIN (SELECT * FROM northwind_dw.dim_categories FINAL) AS category ON category.category_id = product.category_id
    WHERE placed.order_date IS NOT NULL
    GROUP BY day, country, category
    ORDER BY day, country, category
    SETTINGS output_format_decimal_trailing_zeros = 1 FORMAT TSVRaw";

impl World {
    pub fn build(&self, args: &[&str]) -> Outcome {
        self.run("build-order-wide", args)
    }

    /// The live rows without what differs from build to build. They must be the same whether FINAL merges across partitions, or
    /// each partition by itself.
    #[track_caller]
    pub fn order_wide(&self) -> String {
        self.live("order_wide", COLUMNS, "order_id, product_id, order_date")
    }

    pub fn build_sales(&self, args: &[&str]) -> Outcome {
        self.run("build-agg-sales-daily", args)
    }

    /// As [`World::order_wide`].
    #[track_caller]
    pub fn sales(&self) -> String {
        self.live("agg_sales_daily", SALES, "day, country, category")
    }

    /// What the sales should be.
    pub fn sales_added_up(&self) -> String {
        self.clickhouse(ADDED_UP)
    }

    #[track_caller]
    fn live(&self, table: &str, columns: &str, order: &str) -> String {
        let rows = |each_partition: u8| {
            self.clickhouse(&format!(
                "SELECT {columns} FROM northwind_dw.{table} FINAL ORDER BY {order}
                 SETTINGS output_format_decimal_trailing_zeros = 1, do_not_merge_across_partitions_select_final = {each_partition} FORMAT TSVRaw"
            ))
        };
        let (across, each) = (rows(0), rows(1));
        assert_eq!(across, each, "a partition shows a row that has moved, or was deleted");
        across
    }

    /// A build that has stopped itself at `point`.
    pub fn build_frozen_at(&self, point: &str, args: &[&str]) -> Child {
        self.frozen_at(point, "build-order-wide", args)
    }

    /// SIGKILL of a build at `point`; then waits until PostgreSQL has noticed that its session is gone.
    pub fn kill_build_at(&self, point: &str, args: &[&str]) {
        self.kill_job_at("build-order-wide", point, args);
    }

    /// As [`World::kill_build_at`], of another table.
    pub fn kill_job_at(&self, job: &str, point: &str, args: &[&str]) {
        kill(self.frozen_at(point, job, args));
        self.wait_until_no_session_of(job);
    }
}
