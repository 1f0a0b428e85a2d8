-- After a dump of the log (pg_dump) was restored into another cluster, whose transaction
-- counter may be behind the one the log was written under: followers read events up to the
-- oldest open transaction, so they would not see those "from the future". The worker refuses
-- to start until this has run.
--
-- Run by the owner, with all workers stopped. Says of every event that it was committed long
-- ago, which is true, and is no part of the hash chain. Not needed after restoring a file
-- system copy or a base backup: those keep the counter.

begin;
alter table events disable trigger append_only;
update events set txid = '0';
alter table events enable always trigger append_only;
-- The views count in the old server's transactions: they are made again.
update view_cursors set version = 0;
update mirrors set "transaction" = 0, position = 0;
commit;
