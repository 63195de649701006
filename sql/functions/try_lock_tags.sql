-- Takes the locks of the tags of events that are to be appended, unless somebody appends under a
-- condition on one of them.
--
-- tags:    per event: its tags as the text of a text[], or null
-- returns: whether all are held; some may be when not. More than 256 never are: see lock_appends
-- locks:   the tags, shared, until the end of the transaction
create or replace function tidemark.try_lock_tags(tags text[]) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_keys constant bigint[] := tidemark.tag_lock_keys(try_lock_tags.tags);
  v_key bigint;
begin
  if cardinality(v_keys) > 256 then
    return false;
  end if;
  foreach v_key in array v_keys loop
    if not pg_try_advisory_xact_lock_shared(v_key) then
      return false;
    end if;
  end loop;
  return true;
end
$$;
