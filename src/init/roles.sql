-- What the pipeline {pipeline} needs in the source, and no more: two roles, heartbeat and signals, replica identities, a publication.
-- As a superuser, in the database that is captured; it may run any number of times:
--
--   psql -v connector_password=… -v jobs_password=… -f source.sql "$DATABASE_URL"
\set ON_ERROR_STOP on
\encoding UTF8
\if :{?connector_password}
\else
    DO $body$ BEGIN RAISE EXCEPTION 'say the password of the connector''s role: psql -v connector_password=…'; END $body$;
\endif
\if :{?jobs_password}
\else
    DO $body$ BEGIN RAISE EXCEPTION 'say the password of the jobs'' role: psql -v jobs_password=…'; END $body$;
\endif

-- A role that is there keeps its password; the connector's needs these rights in any case.
SELECT format('CREATE ROLE %I LOGIN REPLICATION PASSWORD %L', {role_text}, :'connector_password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {role_text}) \gexec
SELECT format('ALTER ROLE %I LOGIN REPLICATION', rolname)
FROM pg_roles WHERE rolname = {role_text} AND NOT (rolcanlogin AND rolreplication) \gexec
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', {jobs_text}, :'jobs_password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {jobs_text}) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I', current_database(), {role_text}, {jobs_text}) \gexec

-- The jobs look up rows and compare them; they never write.
GRANT USAGE ON SCHEMA {schemas} TO {jobs};
{grants}

-- Policies would hide rows from them, and say nothing: rows that are there would look as if they were not.
SELECT format('ALTER ROLE %I BYPASSRLS', {jobs_text})
WHERE EXISTS (SELECT FROM pg_class WHERE relrowsecurity AND oid IN ({relations})) \gexec
