-- Gives the advisory lock of a tag. Who appends an event with the tag holds it shared, who appends
-- under a condition on the tag holds it alone, until the end of the transaction: so a condition never
-- misses an event that is on its way. Two tags may share a key, which costs time and never correctness.
--
-- tag:     the tag
-- returns: key of the lock; differs between logs in one database
create or replace function tidemark.tag_lock_key(tag text) returns bigint
language sql
stable
parallel safe
return hashtextextended(tag, 'tidemark.event_tags'::regclass::oid::bigint);
