-- Run by the service `roles` of docker-compose.yml, as the owner of the tables: the login the
-- worker uses, with the rights of worker/migrations/postgres/roles.sql and no others. May be
-- run any number of times; a changed password file changes the password.

\set ON_ERROR_STOP on
\set password `cat "$APP_PASSWORD_FILE"`

\ir roles.sql

select 'create role concilia_app login in role concilia_worker'
where not exists (select from pg_roles where rolname = 'concilia_app')
\gexec

alter role concilia_app password :'password';
