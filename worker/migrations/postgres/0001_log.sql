-- The log, what it rests on, and the work it makes. PostgreSQL 13 or later.
--
-- Applied by the worker at start, once, by a role that may create tables (see roles.sql for
-- the role it should run as afterwards). Never edit this file once released: the worker
-- compares its checksum with the one it applied.
--
-- Text is collated "C": byte order is the same on every machine and in the worker, which
-- sorts the rows of a batch before it locks them.

-- One row per fact. A stream's facts are numbered from 1 without gaps.
create table events (
    -- Order of insertion over all streams; not the order of commits (see txid).
    position    bigint generated always as identity unique,
    stream      text collate "C" not null,
    sequence    bigint not null check (sequence > 0),
    -- The part of the stream before its slash, for those who filter by account.
    account     text collate "C" not null,
    -- The webhook event the fact is about.
    about       text collate "C" not null,
    kind        text collate "C" not null,
    version     integer not null,
    -- JSON as text, byte for byte as hashed; jsonb would reorder it, and refuses \u0000.
    data        text not null,
    recorded_at timestamptz not null,
    -- The transaction that wrote it: a follower reads up to the oldest one still open, so
    -- that nothing can appear behind it.
    txid        xid8 not null default pg_current_xact_id(),
    -- The chain: hash = sha256(previous || the fact). The first previous is 32 zero bytes.
    previous    bytea not null check (octet_length(previous) = 32),
    hash        bytea not null check (octet_length(hash) = 32),
    primary key (stream, sequence)
);

-- What a follower of the whole log walks along.
create unique index events_in_commit_order on events (txid, position);

-- Every webhook ever admitted, under the key that makes it one: this is where duplicates end.
create table webhooks (
    account         text collate "C" not null,
    event_id        text collate "C" not null,
    -- SHA-256 of the body that came first, lower-case hex.
    body_hash       text collate "C" not null,
    stream          text collate "C" not null,
    -- Where it stood in the broker when it came first.
    broker_stream   text collate "C" not null,
    broker_sequence bigint not null,
    primary key (account, event_id)
);

-- Other bodies that came under an id already known: each a fact of its own, once.
create table conflicts (
    account   text collate "C" not null,
    event_id  text collate "C" not null,
    body_hash text collate "C" not null,
    primary key (account, event_id, body_hash)
);

-- The raw bodies, exactly as signed. The only table whose rows may be deleted, and only by
-- its owner: that is how a person's data is erased. The chain holds hashes, so it stays whole.
create table payloads (
    account     text collate "C" not null,
    event_id    text collate "C" not null,
    body_hash   text collate "C" not null,
    -- The header that proves it, verbatim.
    signature   text not null,
    -- Seconds by which it was late; null when it was fresh.
    late_s      bigint,
    received_at timestamptz not null,
    traceparent text,
    bytes       bytea not null,
    primary key (account, event_id, body_hash)
);


-- Every message of the broker that was seen; what is missing here is read again.
create table broker_positions (
    broker_stream text collate "C" not null,
    sequence      bigint not null check (sequence > 0),
    primary key (broker_stream, sequence)
);

-- Ranges of messages that the broker no longer has.
create table broker_gone (
    broker_stream text collate "C" not null,
    first         bigint not null,
    last          bigint not null check (last >= first),
    primary key (broker_stream, first, last)
);

-- A range known to be without gaps, so that it is not looked through again.
create table broker_watermarks (
    broker_stream text collate "C" primary key,
    first         bigint not null,
    last          bigint not null
);

-- What is to be done: one row per stream, kept when it is at rest, because it is also the
-- lock under which the stream grows. Operational: it can be rebuilt from the log.
create table work (
    stream      text collate "C" primary key,
    account     text collate "C" not null,
    -- When it is to be tried; null at rest.
    due_at      timestamptz,
    -- Something came that was never tried yet: goes before everything that waits.
    fresh       boolean not null,
    -- Grows with every arrival and every claim.
    generation  bigint not null,
    -- Who works on it, until when, and the generation of that claim; null when nobody does.
    holder      text,
    lease_until timestamptz,
    claimed     bigint,
    -- When it can be claimed.
    ready_at    timestamptz generated always as
                    (case when holder is null then due_at else lease_until end) stored
) with (
    -- Rows change all the time: leave room on the page, and tidy up early.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01
);

-- Claims walk along this and stop at the first row that is not ready, so what waits for
-- later costs them nothing, however much it is.
create index work_ready on work (fresh, ready_at) where ready_at is not null;

-- Waking walks along this, past the streams at rest.
create index work_waiting on work (stream) where due_at is not null;

-- Append-only, whoever asks. Statement triggers: they also fire when no row matches.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'table % is append-only: % is refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end
$$;

create trigger append_only before update or delete or truncate on events
    for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on webhooks
    for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on conflicts
    for each statement execute function refuse_change();
-- A body may be erased, never exchanged.
create trigger never_exchanged before update on payloads
    for each statement execute function refuse_change();

-- "always": not even a session that calls itself a replica goes past them.
alter table events enable always trigger append_only;
alter table webhooks enable always trigger append_only;
alter table conflicts enable always trigger append_only;
alter table payloads enable always trigger never_exchanged;
