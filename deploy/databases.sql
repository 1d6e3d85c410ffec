-- Run once by psql as the server's superuser, when the database is made (compose.yaml). What rehabcast
-- and MLflow connect as owns these two databases and nothing else: it makes no roles or databases, reads
-- no files of the server and starts no programs on it.
\set ON_ERROR_STOP on
\set password `cat "$REHABCAST_DATABASE_PASSWORD_FILE"`
CREATE ROLE rehabcast LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT
    PASSWORD :'password';
CREATE DATABASE rehabcast OWNER rehabcast;
CREATE DATABASE mlflow OWNER rehabcast;
REVOKE ALL ON DATABASE postgres, template1, rehabcast, mlflow FROM PUBLIC;
