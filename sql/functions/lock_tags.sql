-- Takes the locks of the tags of events that are to be appended, in the order of the lock keys, so
-- that two appends cannot wait for each other. For more than 256 tags the whole log instead, because
-- the server's lock table is small.
--
-- tags:    per event: its tags as the text of a text[], or null
-- patient: whether to wait for who appends under a condition on one of them
-- returns: whether all are held; some may be when not. Not patient, more than 256 are never held.
-- locks:   the tags, shared, or the log, alone
create or replace function tidemark.lock_tags(tags text[], patient boolean) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_keys constant bigint[] := tidemark.tag_lock_keys(lock_tags.tags);
  v_key bigint;
begin
  if cardinality(v_keys) > 256 then
    if lock_tags.patient then
      perform pg_advisory_xact_lock('tidemark.events'::regclass::oid::bigint);
    end if;
    return lock_tags.patient;
  end if;

  foreach v_key in array v_keys loop
    if lock_tags.patient then
      perform pg_advisory_xact_lock_shared(v_key);
    elsif not pg_try_advisory_xact_lock_shared(v_key) then
      return false;
    end if;
  end loop;
  return true;
end
$$;
