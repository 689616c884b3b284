#!/bin/bash
# Runs once, when the database is made: the connector's role gets the password of this installation.
psql -v ON_ERROR_STOP=1 -v "password=$(< /run/secrets/debezium_password)" -U "$POSTGRES_USER" -d "$POSTGRES_DB" << 'END'
ALTER ROLE debezium PASSWORD :'password';
END
