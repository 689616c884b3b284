-- What happens then: per table an insert, an update, an update that changes nothing, a change of the key, a delete, a truncate.
INSERT INTO categories VALUES (2, 'Condiments', NULL, '\x00ff');
UPDATE categories SET description = repeat('Zażółć gęślą jaźń. ', 20), picture = NULL WHERE category_id = 1;
UPDATE categories SET category_id = 3 WHERE category_id = 2;
DELETE FROM categories WHERE category_id = 3;

INSERT INTO customer_demographics VALUES ('NEW  ', NULL);
UPDATE customer_demographics SET customer_desc = 'ż' WHERE customer_type_id = 'NEW';
UPDATE customer_demographics SET customer_type_id = 'NEWER' WHERE customer_type_id = 'NEW';
DELETE FROM customer_demographics WHERE customer_type_id = 'NEWER';

INSERT INTO customers (customer_id, company_name) VALUES ('NEW  ', 'it''s new');
UPDATE customers SET city = 'Köln', fax = NULL WHERE customer_id = 'ALFKI';
UPDATE customers SET city = city WHERE customer_id = 'NULLS';
UPDATE customers SET customer_id = 'NEW' WHERE customer_id = 'NEW';
UPDATE customers SET customer_id = 'NEWER' WHERE customer_id = 'NEW';
DELETE FROM customers WHERE customer_id = 'NEWER';

INSERT INTO customer_customer_demo VALUES ('NEW', 'RETAIL');
UPDATE customer_customer_demo SET customer_id = customer_id WHERE customer_id = 'ALFKI';
UPDATE customer_customer_demo SET customer_type_id = 'Köln' WHERE customer_id = 'NEW';
DELETE FROM customer_customer_demo WHERE customer_id = 'NEW';

INSERT INTO employees (employee_id, last_name, first_name, photo) VALUES (7, 'King', 'Robert', '\x00');
UPDATE employees SET notes = 'ż', reports_to = NULL WHERE employee_id = 1;
UPDATE employees SET employee_id = 8 WHERE employee_id = 7;
DELETE FROM employees WHERE employee_id = 8;

INSERT INTO region VALUES (2, 'Western');
UPDATE region SET region_description = 'Wëstern  ' WHERE region_id = 2;
UPDATE region SET region_id = 3 WHERE region_id = 2;
DELETE FROM region WHERE region_id = 3;

INSERT INTO territories VALUES ('01730', 'Bedford', 1);
UPDATE territories SET territory_description = 'Bëdford' WHERE territory_id = '01730';
UPDATE territories SET territory_id = '01731' WHERE territory_id = '01730';
DELETE FROM territories WHERE territory_id = '01731';

INSERT INTO employee_territories VALUES (2, '01581');
UPDATE employee_territories SET employee_id = employee_id WHERE employee_id = 2;
UPDATE employee_territories SET employee_id = 3 WHERE employee_id = 2;
DELETE FROM employee_territories WHERE employee_id = 3;

INSERT INTO shippers VALUES (2, 'United Package', NULL);
UPDATE shippers SET phone = '1-800-222-0451' WHERE shipper_id = 2;
UPDATE shippers SET shipper_id = 3 WHERE shipper_id = 2;
DELETE FROM shippers WHERE shipper_id = 3;

INSERT INTO suppliers (supplier_id, company_name) VALUES (2, 'New Orleans Cajun Delights');
UPDATE suppliers SET homepage = repeat('https://example.com/ż ', 20) WHERE supplier_id = 2;
UPDATE suppliers SET supplier_id = 3 WHERE supplier_id = 2;
DELETE FROM suppliers WHERE supplier_id = 3;

INSERT INTO products (product_id, product_name, unit_price, discontinued) VALUES (5, 'Chang', 9.8, 0);
UPDATE products SET unit_price = 0.15, units_in_stock = NULL WHERE product_id = 5;
UPDATE products SET unit_price = 'NaN' WHERE product_id = 5;
UPDATE products SET product_id = 6 WHERE product_id = 5;
DELETE FROM products WHERE product_id = 6;

INSERT INTO orders (order_id, customer_id, freight) VALUES (10249, 'ALFKI', 11.61);
UPDATE orders SET shipped_date = '1996-07-10', ship_region = NULL WHERE order_id = 10249;
UPDATE orders SET order_id = 10250 WHERE order_id = 10249;
DELETE FROM orders WHERE order_id = 10250;
DELETE FROM orders WHERE order_id IN (1, 2);
ALTER TABLE orders ALTER freight TYPE numeric(10,2);
INSERT INTO orders (order_id, freight) VALUES (10251, 41.30);

INSERT INTO order_details VALUES (10249, 14, 18.6, 9, 0.1);
UPDATE order_details SET quantity = quantity + 1, discount = 0.2 WHERE order_id = 10249;
UPDATE order_details SET product_id = 51 WHERE order_id = 10249;
DELETE FROM order_details WHERE order_id = 10249;
ALTER TABLE order_details ALTER unit_price TYPE numeric(10,2);
UPDATE order_details SET unit_price = 10.50 WHERE order_id = 10248 AND product_id = 11;

INSERT INTO us_states VALUES (2, 'Alaska', 'AK', NULL);
UPDATE us_states SET state_region = 'nörth' WHERE state_id = 2;
UPDATE us_states SET state_id = 3 WHERE state_id = 2;
DELETE FROM us_states WHERE state_id = 3;

-- Columns that the row types do not know.
ALTER TABLE shippers ADD COLUMN rating integer, ADD COLUMN "odd Name" jsonb;
INSERT INTO shippers VALUES (4, 'with more columns', NULL, 5, '{"a": [1, null]}');

TRUNCATE categories, customer_customer_demo, customer_demographics, customers, employee_territories, employees, order_details,
         orders, products, region, shippers, suppliers, territories, us_states;
