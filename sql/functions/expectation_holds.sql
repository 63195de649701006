-- Tells whether a stream at a version is as its writer expects.
--
-- expected: any, absent, present, or a version as digits
-- actual:   version of the stream, 0 when it is empty
-- returns:  whether the expectation holds
-- raises:   22P02 when expected is none of these
create or replace function tidemark.expectation_holds(expected text, actual bigint) returns boolean
language sql
immutable
parallel safe
return case expected
  when 'any' then true
  when 'absent' then actual = 0
  when 'present' then actual > 0
  else actual = expected::bigint
end;
