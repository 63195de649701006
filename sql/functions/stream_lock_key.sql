-- Gives the advisory lock on which writers of one stream take turns. Two streams may share a key:
-- then their writers wait for each other, which costs time and never correctness.
--
-- stream_id: the stream
-- returns:   key of the lock; differs between logs in one database
create or replace function tidemark.stream_lock_key(stream_id text) returns bigint
language sql
stable
parallel safe
return hashtextextended(stream_id, 'tidemark.events'::regclass::oid::bigint);
