-- What the connector finds: per table a usual row, one of NULLs and empty texts, one of extremes.
TRUNCATE categories, customer_customer_demo, customer_demographics, customers, employee_territories, employees, order_details,
         orders, products, region, shippers, suppliers, territories, us_states;

INSERT INTO categories VALUES
    (1, 'Beverages', 'Soft drinks, coffees, teas, beers, and ales', '\x89504e470d0a1a0a'),
    (-32768, '', NULL, NULL),
    (32767, 'Zażółć gęślą', E'two\nlines, a "quote", a \\ and a \t', '');

INSERT INTO customer_demographics VALUES
    ('RETAIL', 'Shops and supermarkets that sell to consumers'),
    ('blanks behind   ', NULL),
    ('Köln', '');

INSERT INTO customers VALUES
    ('ALFKI', 'Alfreds Futterkiste', 'Maria Anders', 'Sales Representative', 'Obere Str. 57', 'Berlin', 'BE', '12209', 'Germany', '030-0074321', '030-0076545'),
    ('NULLS   ', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('日本', 'Zażółć "gęślą" \ jaźń 🦀', '', '', '', '', '', '', '', '', '');

INSERT INTO customer_customer_demo VALUES ('ALFKI', 'RETAIL'), ('NULLS   ', 'blanks behind   '), ('日本', 'Köln');

INSERT INTO employees VALUES
    (1, 'Davolio', 'Nancy', 'Sales Representative', 'Ms.', '1948-12-08', '1992-05-01', '507 - 20th Ave. E.', 'Seattle', 'WA', '98122', 'USA', '(206) 555-9857', '5467', '\xdeadbeef00', 'Education includes a BA in psychology.', 2, 'http://accweb/emmployees/davolio.bmp'),
    (-32768, '', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (32767, 'Zażółć', 'gęślą', '', '', '1900-01-01', '2299-12-31', '', '', '', '', '', '', '', '', '', -32768, ''),
    (3, 'too', 'early', NULL, NULL, '1899-12-31', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 'too', 'late', NULL, NULL, NULL, '2300-01-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 'for', 'ever', NULL, NULL, '-infinity', 'infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (6, 'before', 'Christ', NULL, NULL, '0044-03-15 BC', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO region VALUES (1, 'Eastern'), (-32768, 'blanks behind    '), (32767, 'Süd');

INSERT INTO territories VALUES ('01581', 'Westboro', 1), ('blanks  ', 'blanks behind     ', -32768), ('Köln', '', 32767);

INSERT INTO employee_territories VALUES (1, '01581'), (-32768, 'blanks  '), (32767, 'Köln');

INSERT INTO shippers VALUES (1, 'Speedy Express', '(503) 555-9831'), (-32768, '', NULL), (32767, 'Zażółć', '');

INSERT INTO suppliers VALUES
    (1, 'Exotic Liquids', 'Charlotte Cooper', 'Purchasing Manager', '49 Gilbert St.', 'London', 'L', 'EC1 4SD', 'UK', '(171) 555-2222', '(171) 555-2223', 'http://example.com/#'),
    (-32768, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (32767, 'Zażółć', '', '', '', '', '', '', '', '', '', '');

INSERT INTO products VALUES
    (1, 'Chai', 8, 1, '10 boxes x 30 bags', 18, 39, 0, 10, 1),
    (-32768, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, -2147483648),
    (32767, 'Gęśla', 32767, 32767, '', 16777217.3, 32767, 32767, 32767, 2147483647),
    (2, 'too dear', NULL, NULL, NULL, 3.4e38, NULL, NULL, NULL, 0),
    (3, 'too fine', NULL, NULL, NULL, 0.00001, NULL, NULL, NULL, 0),
    (4, 'no price', NULL, NULL, NULL, 'NaN', NULL, NULL, NULL, 0);

INSERT INTO orders VALUES
    (10248, 'ALFKI', 5, '1996-07-04', '1996-08-01', '1996-07-16', 3, 32.38, 'Vins et alcools Chevalier', '59 rue de l''Abbaye', 'Reims', 'CA', '51100', 'France'),
    (-32768, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (32767, '日本  ', 32767, '1900-01-01', '2299-12-31', '1970-01-01', 32767, 0.15, 'Zażółć', '', '', '', '', ''),
    (1, 'ALFKI', 5, NULL, NULL, NULL, 3, 'Infinity', NULL, NULL, NULL, NULL, NULL, NULL),
    (2, 'ALFKI', 5, NULL, NULL, NULL, 3, '-Infinity', NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 'ALFKI', 5, NULL, NULL, NULL, 3, -1e-20, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 'ALFKI', 5, '9999-12-31', NULL, NULL, 3, -0.0001, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO order_details VALUES (10248, 11, 14, 12, 0), (10248, 42, 9.8, 10, 0.15), (-32768, -32768, 0, -32768, 1), (32767, 32767, 99999.9, 32767, 0.05);

INSERT INTO us_states VALUES (1, 'Alabama', 'AL', 'south'), (-32768, NULL, NULL, NULL), (32767, 'Zażółć', 'ż', '');
