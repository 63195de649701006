/** Values that JSON, and therefore a `jsonb` column, can hold. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [k: string]: Json }

/** Objects that JSON can hold. */
export type JsonObject = { readonly [k: string]: Json }
