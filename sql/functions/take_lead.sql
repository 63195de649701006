-- Begins a new generation of the sequencer on the slot that it trusts already, so that writes of the
-- leader before, should it still run, are refused.
--
-- generation: the generation that ends
-- returns:    the sequencer row
-- raises:     TM007 another leader has taken over
create or replace function tidemark.take_lead(generation bigint) returns tidemark.sequencer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sequencer tidemark.sequencer;
begin
  update tidemark.sequencer as s
  set generation = s.generation + 1
  where s.generation = take_lead.generation
  returning s.*
  into v_sequencer;
  if not found then
    raise exception 'another sequencer has taken over from generation %', take_lead.generation
      using errcode = 'TM007';
  end if;
  return v_sequencer;
end
$$;
