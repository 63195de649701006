-- Tells whether a plain snapshot taken now sees every transaction that the given one sees. A slot's
-- snapshot can be ahead: it knows commits that still wait for a synchronous standby.
--
-- snapshot: the snapshot of a new slot
-- returns:  whether nothing is missing yet
create or replace function tidemark.snapshot_is_visible(snapshot pg_snapshot) returns boolean
language sql
volatile
return
  pg_snapshot_xmax(pg_current_snapshot()) >= pg_snapshot_xmax(snapshot)
  and not exists (
    select
    from pg_snapshot_xip(pg_current_snapshot()) as running (id)
    where pg_visible_in_snapshot(running.id, snapshot)
  );
