-- Begins a new incarnation: the log has moved to another cluster, where transaction ids begin anew
-- and mean nothing beside the old ones. Drops the trust in the old cluster's slot. Until then nothing can
-- be appended where the log was restored (see guard_events).
--
-- generation:        the generation that ends
-- system_identifier: the cluster that the log is in now
-- raises:            TM007 another leader has taken over
-- locks:             event log and outbox exclusively, for a moment, to change a column default
create or replace function tidemark.begin_incarnation(
  generation bigint,
  system_identifier bigint
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_incarnation smallint;
begin
  update tidemark.sequencer as s
  set
    incarnation = s.incarnation + 1,
    system_identifier = begin_incarnation.system_identifier,
    generation = s.generation + 1,
    slot_name = null,
    lsn = null,
    snapshot = null
  where s.generation = begin_incarnation.generation
    and (
      s.system_identifier <> begin_incarnation.system_identifier
      or not exists (select from tidemark.at_home)
    )
  returning s.incarnation
  into v_incarnation;
  if not found then
    raise exception 'another sequencer has taken over from generation %', begin_incarnation.generation
      using errcode = 'TM007';
  end if;
  update tidemark.home
  set
    table_id = 'tidemark.home'::regclass,
    transaction_id = pg_current_xact_id();
  execute format('alter table tidemark.events alter column incarnation set default %s', v_incarnation);
  execute format('alter table tidemark.outbox alter column incarnation set default %s', v_incarnation);
end
$$;
