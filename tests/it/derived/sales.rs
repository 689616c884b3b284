//! `agg_sales_daily` through the real connector: whatever happens to the source, the rows are what PostgreSQL adds up. With builds that are killed, tables
//! that are behind the others, and lines that move several times between two builds.
//!
//! More seeds: `HISTORY_SEEDS=5,6,7 cargo test --test it derived::sales::`.

use postgres::SimpleQueryMessage;

use crate::support::random::Random;
use crate::support::{World, freezes, kill, outcome};

const TABLES: [&str; 5] = ["categories", "products", "customers", "orders", "order_details"];

/// Prices and discounts are `real`: their text is what was meant.
const ADDED_UP: &str = "
    SELECT * FROM (
    SELECT o.order_date AS day, coalesce(nullif(o.ship_country, ''), c.country, '') AS country, coalesce(k.category_name, '') AS category, count(DISTINCT d.order_id), count(*),
           sum(d.quantity), sum(round(d.unit_price::text::numeric * d.quantity * (1 - d.discount::text::numeric), 2)),
           sum(round(d.unit_price::text::numeric * d.quantity * d.discount::text::numeric, 2))
    FROM order_details d
    JOIN orders o USING (order_id)
    LEFT JOIN customers c USING (customer_id)
    LEFT JOIN products p USING (product_id)
    LEFT JOIN categories k USING (category_id)
    WHERE o.order_date IS NOT NULL
    GROUP BY 1, 2, 3) AS sales
    ORDER BY day, country COLLATE \"C\", category COLLATE \"C\"";

/// A refusal of a foreign or a primary key, or of a rule of the source.
const REFUSALS: [&str; 3] = ["23503", "23505", "23514"];

#[track_caller]
fn assert_same_as_in_postgresql(world: &World, what: &str) -> usize {
    let messages = world.postgres().simple_query(ADDED_UP).unwrap();
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|i| row.get(i).unwrap()).collect::<Vec<_>>().join("\t") + "\n")
        }
        _ => None,
    });
    let of_source: String = rows.collect();
    assert_eq!(world.sales(), of_source, "{what}");
    of_source.lines().count()
}

#[test]
fn northwind_adds_up() {
    let mut world = World::new("sales");
    let connector = world.capture(&[]);
    catch_up(&world, &connector);
    let outcome = world.build_sales(&[]).expect_exit(0);
    assert_eq!((outcome.count("touched"), outcome.count("deleted")), (2155, 0));
    assert_eq!(assert_same_as_in_postgresql(&world, "first") as i64, outcome.count("written"));
    // One row that every line of eight categories hangs on, in batches.
    world.change("UPDATE categories SET category_name = category_name || '!'");
    catch_up(&world, &connector);
    let outcome = world.build_sales(&["--batch", "300"]).expect_exit(0);
    assert_eq!((outcome.count("touched"), outcome.count("written")), (2155, outcome.count("deleted")));
    assert_same_as_in_postgresql(&world, "renamed");
    let totals = world.clickhouse("SELECT sum(lines), sum(revenue) FROM northwind_dw.agg_sales_daily FINAL");
    world.build(&[]).expect_exit(0);
    assert_eq!(world.clickhouse("SELECT count(), sum(total_amount) FROM northwind_dw.order_wide FINAL"), totals);
    world.change("TRUNCATE order_details");
    catch_up(&world, &connector);
    world.build_sales(&[]).expect_exit(0);
    assert_eq!(world.sales(), "");
}

fn catch_up(world: &World, connector: &str) {
    world.wait_for_capture(connector);
    for table in TABLES {
        world.ingest_table(table, &[]).expect_exit(0);
    }
}

fn history(seed: u64) {
    let mut world = World::new(&format!("sales_{seed}"));
    let mut random = Random::new(seed);
    let mut said = Vec::new();
    world.change("TRUNCATE orders, order_details; UPDATE products SET category_id = 1 + product_id % 2");
    let connector = world.capture(&[]);
    catch_up(&world, &connector);
    let mut shown = 0;
    for step in 0..20 {
        for _ in 0..random.below(8) {
            said.push(transaction(&world, &mut random));
        }
        if random.once_in(2) {
            // Some tables only, and a build that is perhaps killed.
            world.wait_for_capture(&connector);
            for table in TABLES.into_iter().filter(|_| random.once_in(2)).collect::<Vec<_>>() {
                world.ingest_table(table, &[]).expect_exit(0);
            }
            said.push(disturbed(&world, &mut random));
        } else {
            catch_up(&world, &connector);
            world.build_sales(&[]).expect_exit(0);
            shown += assert_same_as_in_postgresql(&world, &format!("seed {seed}, step {step}:\n{}", said.join("\n")));
        }
    }
    catch_up(&world, &connector);
    world.build_sales(&[]).expect_exit(0);
    shown += assert_same_as_in_postgresql(&world, &format!("seed {seed}:\n{}", said.join("\n")));
    let incremental = world.sales();
    world.build_sales(&["--full"]).expect_exit(0);
    assert_eq!(world.sales(), incremental, "seed {seed}: a full build says the same");
    assert!(shown > 0, "the situation did arise");
}

/// A build that is killed at some point, if it comes there.
fn disturbed(world: &World, random: &mut Random) -> String {
    const JOB: &str = "build-agg-sales-daily";
    let point = random.of(&[
        "touched-written",
        "members-written",
        "rows-written",
        "markers-written",
        "members-forgotten",
        "swapped",
    ]);
    let full = random.once_in(4) || point == "swapped";
    let args = [&["--stop-at", point][..], if full { &["--full"] } else { &[] }].concat();
    let mut build = world.command(JOB, &args).spawn().unwrap();
    if freezes(&mut build, point) {
        kill(build);
        world.wait_until_no_session_of(JOB);
    } else {
        outcome(build).expect_exit(0);
    }
    format!("    {JOB} {}", args.join(" "))
}

/// A few statements at once; what the source refuses is rolled back.
fn transaction(world: &World, random: &mut Random) -> String {
    let statements: Vec<String> = (0..=random.below(3)).map(|_| statement(random)).collect();
    let sql = format!("BEGIN; {}; COMMIT", statements.join("; "));
    match world.postgres().batch_execute(&sql) {
        Ok(()) => sql,
        Err(error) => {
            let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
            assert!(REFUSALS.contains(&code.as_str()), "{sql}: {error:?}");
            format!("{sql} -- refused: {code}")
        }
    }
}

fn statement(random: &mut Random) -> String {
    let (order, other, product) = (1 + random.below(9), 1 + random.below(9), 1 + random.below(5));
    let customer = random.of(&["ALFKI", "ANATR", "BERGS"]);
    let date = random.of(&["'1996-07-04'", "'1996-07-05'", "'1997-01-01'", "'1997-01-02'", "NULL"]);
    let country = random.of(&["NULL", "''", "'France'", "'Peru'"]);
    let quantity = 1 + random.below(50);
    let discount = random.of(&["0", "0.05", "0.15", "0.25"]);
    match random.below(32) {
        0 => "TRUNCATE order_details".to_owned(),
        1 => "TRUNCATE orders, order_details".to_owned(),
        2 => format!(
            "UPDATE categories SET category_name = {} WHERE category_id = {}",
            random.of(&["'Tea'", "'Fish'"]),
            1 + order % 2
        ),
        3 | 4 => format!(
            "UPDATE products SET category_id = {} WHERE product_id = {product}",
            random.of(&["1", "2", "3", "NULL"])
        ),
        5 | 6 => format!("UPDATE customers SET country = {country} WHERE customer_id = '{customer}'"),
        7 | 8 => format!("UPDATE orders SET ship_country = {country} WHERE order_id BETWEEN {order} AND {other}"),
        9..=12 => format!("UPDATE orders SET order_date = {date} WHERE order_id = {order}"),
        13 => {
            format!("DELETE FROM order_details WHERE order_id = {order}; DELETE FROM orders WHERE order_id = {order}")
        }
        14 => format!("DELETE FROM order_details WHERE order_id = {order} AND product_id = {product}"),
        15 | 16 => {
            format!("UPDATE order_details SET order_id = {other} WHERE order_id = {order} AND product_id = {product}")
        }
        17 => format!("UPDATE order_details SET product_id = 1 + product_id % 5 WHERE order_id = {order}"),
        18 | 19 => {
            format!("UPDATE order_details SET quantity = {quantity}, discount = {discount} WHERE order_id = {order}")
        }
        20 => format!("UPDATE orders SET customer_id = '{customer}' WHERE order_id = {order}"),
        21..=25 => format!(
            "INSERT INTO orders (order_id, customer_id, employee_id, order_date, ship_country)
             VALUES ({order}, '{customer}', 5, {date}, {country}) ON CONFLICT DO NOTHING"
        ),
        _ => format!(
            "INSERT INTO order_details SELECT order_id, {product}, 9.8, {quantity}, {discount} FROM orders WHERE order_id = {order} ON CONFLICT DO NOTHING"
        ),
    }
}

#[test]
fn of_seed_1() {
    history(1);
}

#[test]
fn of_seed_2() {
    history(2);
}

/// Of the seeds that are asked for; else of one that nobody knows, which is told if it fails.
#[test]
fn of_any_seed() {
    match std::env::var("HISTORY_SEEDS") {
        Ok(seeds) => seeds.split(',').for_each(|seed| history(seed.trim().parse().expect("HISTORY_SEEDS=1,2,3"))),
        Err(_) => history(u64::from(std::process::id()) * 1_000 + 9),
    }
}
