-- Employees who were hired before they were born.
SELECT employee_id, birth_date, hire_date FROM {rows} AS employee WHERE hire_date <= birth_date
