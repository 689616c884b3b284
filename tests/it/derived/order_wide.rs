//! `order_wide` through the real connector: whatever happens to the source, every row is what a join in PostgreSQL says.

use postgres::SimpleQueryMessage;

use crate::support::{Outcome, World};

/// The tables that order_wide shows, parents first.
const SOURCES: [&str; 7] = ["categories", "suppliers", "products", "customers", "employees", "orders", "order_details"];

/// All columns of order_wide but those that only the warehouse knows. Prices and discounts are `real`: their text is what was meant.
const JOIN: &str = "
    SELECT o.order_id, o.order_date, coalesce(o.customer_id, ''), coalesce(c.company_name, ''), coalesce(o.employee_id, 0),
           coalesce(e.first_name || ' ' || e.last_name, ''), coalesce(e.photo_path, ''), d.product_id, coalesce(p.product_name, ''),
           coalesce(k.category_name, ''), coalesce(s.company_name, ''), d.unit_price::text::numeric(10, 2), d.quantity,
           d.discount::text::numeric(10, 2),
           round(d.unit_price::text::numeric * d.quantity * (1 - d.discount::text::numeric), 2)
    FROM order_details d
    JOIN orders o USING (order_id)
    LEFT JOIN customers c USING (customer_id)
    LEFT JOIN employees e ON e.employee_id = o.employee_id
    LEFT JOIN products p ON p.product_id = d.product_id
    LEFT JOIN categories k ON k.category_id = p.category_id
    LEFT JOIN suppliers s ON s.supplier_id = p.supplier_id
    WHERE o.order_date IS NOT NULL
    ORDER BY o.order_id, d.product_id";

/// Every row is equal to that of the join in PostgreSQL; returns how many there are.
#[track_caller]
fn assert_same_as_the_join(world: &World) -> usize {
    let messages = world.postgres().simple_query(JOIN).unwrap();
    let joined: Vec<String> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|i| row.get(i).unwrap()).collect::<Vec<_>>().join("\t"))
            }
            _ => None,
        })
        .collect();
    let wide = world.order_wide();
    let wide: Vec<&str> = wide.lines().map(|line| line.rsplit_once('\t').unwrap().0).collect();
    for (joined, wide) in joined.iter().zip(&wide) {
        assert_eq!(joined, wide);
    }
    assert_eq!(joined.len(), wide.len());
    wide.len()
}

/// A shop whose changes are captured.
struct Captured {
    world: World,
    connector: String,
}

impl Captured {
    fn new(test: &str) -> Captured {
        let mut world = World::new(test);
        let connector = world.capture(&[]);
        Captured { world, connector }
    }

    /// Lets the change arrive in these tables and builds.
    fn catch_up(&self, tables: &[&str]) -> Outcome {
        self.world.wait_for_capture(&self.connector);
        for table in tables {
            self.world.ingest_table(table, &[]).expect_exit(0);
        }
        self.world.build(&[]).expect_exit(0)
    }

    /// Changes the source; the rows must follow. Returns the counts touched, written, deleted.
    #[track_caller]
    fn follows(&self, sql: &str, tables: &[&str]) -> (i64, i64, i64) {
        self.world.change(sql);
        let outcome = self.catch_up(tables);
        assert_same_as_the_join(&self.world);
        (outcome.count("touched"), outcome.count("written"), outcome.count("deleted"))
    }
}

#[test]
fn every_row_is_what_a_join_in_postgresql_says() {
    let shop = Captured::new("wide");
    let outcome = shop.catch_up(&SOURCES);
    assert_eq!(assert_same_as_the_join(&shop.world), 2155);
    assert_eq!([outcome.count("touched"), outcome.count("written"), outcome.count("deleted")], [2155, 2155, 0]);
    let orders = "SELECT uniqExact(order_id), min(_source_ts_ms) > 0 FROM northwind_dw.order_wide FINAL";
    assert_eq!(shop.world.clickhouse(orders), "830\t1\n");

    names_follow(&shop);
    dates_move_rows_between_months(&shop);
    deleted_lines_and_orders_are_gone(&shop);
    amounts_are_rounded_as_postgresql_rounds(&shop);
    a_line_that_is_read_again_is_written_again(&shop.world);
    views_add_up(&shop.world);

    let incremental = shop.world.order_wide();
    let full = shop.world.build(&["--full"]).expect_exit(0);
    assert_eq!((full.count("windows"), full.count("deleted")), (0, 0));
    assert_eq!(shop.world.order_wide(), incremental);

    let (_, written, deleted) = shop.follows("TRUNCATE order_details", &["order_details"]);
    assert_eq!((written, deleted), (0, full.count("written")));
    assert_eq!(shop.world.order_wide(), "");
}

fn names_follow(shop: &Captured) {
    let orders = "SELECT count(*) FROM order_details JOIN orders USING (order_id) WHERE ";
    let lines = |condition: &str| shop.world.postgres().query_one(&format!("{orders}{condition}"), &[]).unwrap().get(0);
    let of_alfki: i64 = lines("customer_id = 'ALFKI'");
    let touched =
        shop.follows("UPDATE customers SET company_name = 'Alfreds & Co.' WHERE customer_id = 'ALFKI'", &["customers"]);
    assert_eq!(touched, (of_alfki, of_alfki, 0));
    let of_employee: i64 = lines("employee_id = 3");
    let touched =
        shop.follows("UPDATE employees SET first_name = 'J.', photo_path = NULL WHERE employee_id = 3", &["employees"]);
    assert_eq!(touched, (of_employee, of_employee, 0));
    let of_product: i64 = lines("product_id = 11");
    let touched = shop.follows(
        "UPDATE products SET product_name = 'Cabrales', category_id = NULL WHERE product_id = 11",
        &["products"],
    );
    assert_eq!(touched, (of_product, of_product, 0));
    shop.follows("UPDATE categories SET category_name = 'Drinks' WHERE category_id = 1", &["categories"]);
    shop.follows("UPDATE suppliers SET company_name = 'Exotic' WHERE supplier_id = 1", &["suppliers"]);
    shop.follows("UPDATE orders SET customer_id = 'ANATR', employee_id = NULL WHERE order_id = 10250", &["orders"]);
}

fn dates_move_rows_between_months(shop: &Captured) {
    let lines: i64 = shop.world.number("SELECT count() FROM northwind_dw.order_wide FINAL WHERE order_id = 10248");
    let dated = |date: &str| {
        format!(
            "UPDATE orders SET order_date = {date}, required_date = NULL, shipped_date = NULL WHERE order_id = 10248"
        )
    };
    let was: String = shop
        .world
        .postgres()
        .query_one("SELECT order_date::text FROM orders WHERE order_id = 10248", &[])
        .unwrap()
        .get(0);
    for date in ["'1995-12-31'", "'1998-02-28'", &format!("'{was}'"), "'1995-12-30'"] {
        assert_eq!(shop.follows(&dated(date), &["orders"]), (lines, lines, lines), "moved to {date}");
    }
    assert_eq!(shop.follows(&dated("NULL"), &["orders"]), (lines, 0, lines), "a row without a date is no row");
    assert_eq!(shop.follows(&dated(&format!("'{was}'")), &["orders"]), (lines, lines, 0));
}

fn deleted_lines_and_orders_are_gone(shop: &Captured) {
    let one_line = "DELETE FROM order_details WHERE order_id = 10251 AND product_id =
                    (SELECT min(product_id) FROM order_details WHERE order_id = 10251)";
    assert_eq!(shop.follows(one_line, &["order_details"]), (1, 0, 1));

    // The order's delete may arrive before that of its lines.
    let lines: i64 = shop.world.number("SELECT count() FROM northwind_dw.order_wide FINAL WHERE order_id = 10252");
    let order = "DELETE FROM order_details WHERE order_id = 10252; DELETE FROM orders WHERE order_id = 10252";
    assert_eq!(shop.follows(order, &["orders"]), (lines, 0, lines));
    let outcome = shop.catch_up(&["order_details"]);
    assert_eq!((outcome.count("touched"), outcome.count("written"), outcome.count("deleted")), (lines, 0, 0));
}

/// 0.05 × 1 × 0.9 = 0.045, and 1.05 × 1 × 0.9 = 0.945: away from zero, not to the even digit, and without float noise.
fn amounts_are_rounded_as_postgresql_rounds(shop: &Captured) {
    for (price, amount) in [("0.05", "0.05"), ("1.05", "0.95"), ("2.15", "1.94")] {
        shop.follows(
            &format!(
                "UPDATE order_details SET unit_price = {price}, quantity = 1, discount = 0.1 WHERE order_id = 10253"
            ),
            &["order_details"],
        );
        let amounts = "SELECT DISTINCT total_amount FROM northwind_dw.order_wide FINAL WHERE order_id = 10253";
        assert_eq!(shop.world.clickhouse(amounts).trim(), amount, "{price}");
    }
}

/// A row that somebody deleted from order_wide by hand comes back with its line.
fn a_line_that_is_read_again_is_written_again(world: &World) {
    let before = world.order_wide();
    let key = "order_id = 10255";
    world.clickhouse(&format!("ALTER TABLE northwind_dw.order_wide DELETE WHERE {key} SETTINGS mutations_sync = 2"));
    let offsets = world.clickhouse(&format!("SELECT _offset FROM northwind_dw.fact_order_details FINAL WHERE {key}"));
    let ranges: Vec<String> = offsets.lines().map(|at| format!("0:{at}..{}", at.parse::<i64>().unwrap() + 1)).collect();
    assert_ne!(world.order_wide(), before);
    world.ingest_table("order_details", &["--offsets", &ranges.join(",")]).expect_exit(0);
    let outcome = world.build(&[]).expect_exit(0);
    assert_eq!(outcome.count("written") as usize, ranges.len());
    assert_eq!(world.order_wide(), before);
}

fn views_add_up(world: &World) {
    let total = world.clickhouse("SELECT sum(total_amount) FROM northwind_dw.order_wide FINAL");
    for view in ["v_sales_by_employee", "v_sales_by_category", "v_sales_by_country"] {
        assert_eq!(world.clickhouse(&format!("SELECT sum(revenue) FROM northwind_dw.{view}")), total, "{view}");
    }
    let joined = "
        SELECT date_trunc('month', order_date)::date || E'\\t' || ship_country || E'\\t' || count(DISTINCT order_id) || E'\\t' ||
               sum(round(unit_price::text::numeric * quantity * (1 - discount::text::numeric), 2))
        FROM orders JOIN order_details USING (order_id) WHERE order_date IS NOT NULL
        GROUP BY date_trunc('month', order_date), ship_country ORDER BY date_trunc('month', order_date), ship_country COLLATE \"C\"";
    let rows = world.postgres().query(joined, &[]).unwrap();
    let joined: String = rows.iter().map(|row| format!("{}\n", row.get::<_, String>(0))).collect();
    let by_country =
        "SELECT month, country, orders, revenue FROM northwind_dw.v_sales_by_country ORDER BY month, country
                      SETTINGS output_format_decimal_trailing_zeros = 1 FORMAT TSVRaw";
    assert_eq!(world.clickhouse(by_country), joined);
}
