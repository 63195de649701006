-- Gives the advisory lock on which appends of one key take turns. Taken before the locks of streams.
--
-- key:     the key
-- returns: key of the lock; differs between logs in one database
create or replace function tidemark.append_key_lock(key text) returns bigint
language sql
stable
parallel safe
return hashtextextended(key, 'tidemark.append_keys'::regclass::oid::bigint);
