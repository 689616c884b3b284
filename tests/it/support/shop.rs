//! A very small shop, written straight into the warehouse tables as the ingest jobs do it: the row, then its window's ledger row.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::{Outcome, World};

/// A world with three orders; every further row gets the next offset.
pub struct Shop {
    pub world: World,
    offset: AtomicI64,
}

impl Shop {
    pub fn new(test: &str) -> Shop {
        let shop = Shop { world: World::new(test), offset: AtomicI64::new(0) };
        shop.put("categories", json!({"category_id": 1, "category_name": "Tea"}));
        shop.put("suppliers", json!({"supplier_id": 1, "company_name": "Exotic Liquids"}));
        shop.put("products", json!({"product_id": 1, "product_name": "Chai", "category_id": 1, "supplier_id": 1}));
        shop.put("products", json!({"product_id": 2, "product_name": "Chang", "category_id": 1}));
        shop.put("customers", json!({"customer_id": "ALFKI", "company_name": "Alfreds", "country": "Germany"}));
        shop.put(
            "employees",
            json!({"employee_id": 1, "first_name": "Nancy", "last_name": "Davolio", "photo_path": "p/1"}),
        );
        shop.order(1, Some("1997-03-05"));
        shop.order(2, Some("1997-04-10"));
        shop.order(3, Some("1997-05-15"));
        for (order, product) in [(1, 1), (1, 2), (2, 1), (3, 1)] {
            shop.line(order, product, 3);
        }
        shop
    }

    /// Writes a row of a source table. Returns its offset.
    pub fn put(&self, source: &str, row: Value) -> i64 {
        self.write(source, row, 0)
    }

    /// Writes that the row of this key is gone.
    pub fn gone(&self, source: &str, key: Value) -> i64 {
        self.write(source, key, 1)
    }

    pub fn order(&self, order: i64, date: Option<&str>) -> i64 {
        let row = json!({"order_id": order, "order_date": date, "customer_id": "ALFKI", "employee_id": 1, "ship_country": "France"});
        self.put("orders", row)
    }

    pub fn line(&self, order: i64, product: i64, quantity: i64) -> i64 {
        let row = json!({"order_id": order, "product_id": product, "unit_price": "10.50", "quantity": quantity, "discount": "0.1"});
        self.put("order_details", row)
    }

    fn write(&self, source: &str, mut row: Value, deleted: u8) -> i64 {
        let offset = self.offset.fetch_add(1, Ordering::SeqCst);
        for (column, value) in [
            ("_version", json!((1_u64 << 52) | ((offset as u64) << 8))),
            ("_deleted", json!(deleted)),
            ("_offset", json!(offset)),
            ("_source_ts_ms", json!(1_000_000 + offset)),
        ] {
            row[column] = value;
        }
        self.world.clickhouse(&format!("INSERT INTO northwind_dw.{} FORMAT JSONEachRow {row}", target(source)));
        self.close_window(source, "plan", offset, offset + 1);
        offset
    }

    /// The ledger row of a window.
    pub fn close_window(&self, source: &str, mode: &str, start: i64, end: i64) {
        let stream = if ["range", "replay", "repair"].contains(&mode) { -1 } else { 0 };
        self.world.clickhouse(&format!(
            "INSERT INTO northwind_ops.windows (source, topic, stream, seq, generation, mode, start_offset, end_offset, token)
             SELECT '{source}', 'shop.public.{source}', {stream}, max(seq) + 1, 1, '{mode}', {start}, {end}, '{source}/{mode}/{start}..{end}'
             FROM northwind_ops.windows WHERE source = '{source}' AND stream = {stream}"
        ));
    }
}

/// The warehouse table of a source table.
fn target(source: &str) -> String {
    let prefix = if source.starts_with("order") { "fact" } else { "dim" };
    format!("{prefix}_{source}")
}

/// order, product and customer of the rows shown.
pub fn shown(world: &World) -> String {
    world.order_wide();
    world.clickhouse(
        "SELECT order_id, product_id, customer_name FROM northwind_dw.order_wide FINAL ORDER BY ALL FORMAT TSVRaw",
    )
}

pub fn counts(outcome: &Outcome) -> [i64; 5] {
    ["windows", "touched", "written", "deleted", "without_date"].map(|field| outcome.count(field))
}

pub fn built(test: &str) -> Shop {
    let shop = Shop::new(test);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [13, 4, 4, 0, 0]);
    shop
}

/// Order 1 moves to another month, order 2 loses its line, order 3 its date; the customer is renamed; a line is added.
pub fn changed(test: &str) -> Shop {
    let shop = built(test);
    shop.order(1, Some("1996-12-24"));
    shop.gone("order_details", json!({"order_id": 2, "product_id": 1}));
    shop.order(3, None);
    shop.put("customers", json!({"customer_id": "ALFKI", "company_name": "Alfreds & Co."}));
    shop.line(2, 2, 7);
    shop
}
