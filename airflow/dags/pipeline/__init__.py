"""What the DAGs are made with: the list of jobs, the tasks, the parameters."""
