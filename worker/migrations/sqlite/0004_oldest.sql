-- How long an account's oldest pending event waits, asked again and again while a worker runs:
-- one step into an index, however many wait.
--
-- Never edit this file once released: the worker compares its checksum with the one it applied.

create index view_events_oldest on view_events (account, since) where status = 'pending';
