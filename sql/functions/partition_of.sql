-- Tells to which partition a key belongs. The worker computes the same; see src/subscriptions/partitions/hash-text.ts.
--
-- key:        a key, such as a stream's id
-- partitions: how many there are, from 1
-- returns:    from 0
create or replace function tidemark.partition_of(key text, partitions integer) returns integer
language sql
immutable
parallel safe
return (hashtext(partition_of.key collate "C") & 2147483647) % partition_of.partitions;
