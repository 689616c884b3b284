-- Employees who report to themselves.
SELECT employee_id, reports_to FROM {rows} AS employee WHERE reports_to = employee_id
