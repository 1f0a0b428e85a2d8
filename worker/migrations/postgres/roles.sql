-- The role the worker should run as: it may add to the log and read it, nothing else.
--
-- Run by the owner of the tables, in their database, after the worker's first start (which
-- makes the tables) and again after every upgrade:
--
--     psql -v ON_ERROR_STOP=1 -f roles.sql postgres://owner@host/concilia
--     create role concilia_app login password '…' in role concilia_worker;
--
-- and give the worker the url of concilia_app. May be run any number of times.
--
-- Erasing a person's data stays with the owner, and leaves the chain whole:
--
--     delete from payloads where account = '…' and event_id = '…';

do $$
begin
    create role concilia_worker nologin;
exception
    -- Roles belong to the whole cluster: another database may have made it, even just now.
    when duplicate_object or unique_violation then null;
end
$$;

revoke all on all tables in schema public from concilia_worker;
grant usage on schema public to concilia_worker;

-- The log: append and read. Position and transaction are the database's to give.
grant select, insert on webhooks, conflicts, payloads to concilia_worker;
grant select on events to concilia_worker;
grant insert (stream, sequence, account, about, kind, version, data, recorded_at, previous, hash)
    on events to concilia_worker;
-- The broker's positions: append and read.
grant select, insert on broker_positions, broker_gone to concilia_worker;
-- Operational state, rebuildable: also change; never delete.
grant select, insert, update on work, broker_watermarks, leases, mirrors to concilia_worker;
-- Views, made again from the log whenever somebody wishes: also delete.
grant select, insert, delete on view_events, view_payments, view_keys to concilia_worker;
grant select, update on view_cursors to concilia_worker;
-- To see at start that the tables are those it was built for.
grant select on migrations to concilia_worker;
