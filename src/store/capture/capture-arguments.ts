/** What a capture does, as the arguments of its trigger say it: see `sql/functions/capture_row.sql`. */
export interface CaptureArguments {
  /** Begins stream ids and event types. */
  readonly category: string
  readonly schemaVersion: number
  /** Columns whose numbers doubles cannot hold. */
  readonly exact: readonly string[]
  readonly filter: ColumnFilter | null
  /** Columns that were recorded when the capture was installed. */
  readonly known: readonly string[]
  /** Columns of the key. */
  readonly key: readonly string[]
}

/** Which columns are recorded: these, or all but these. */
export interface ColumnFilter {
  readonly mode: 'columns' | 'except'
  readonly columns: readonly string[]
}

/** Puts them into the order in which the trigger's function expects them. */
export function encodeArguments(capture: CaptureArguments): readonly string[] {
  return [
    capture.category,
    String(capture.schemaVersion),
    arrayText(capture.exact),
    capture.filter?.mode ?? '',
    arrayText(capture.filter?.columns ?? []),
    arrayText(capture.known),
    ...capture.key,
  ]
}

/** Reads them from `pg_trigger.tgargs`, where a byte of zero ends each. */
export function decodeArguments(tgargs: Buffer): CaptureArguments {
  const [category = '', schemaVersion = '', exact = '', mode, filtered = '', known = '', ...key] =
    tgargs.toString('utf8').split('\0').slice(0, -1)
  return {
    category,
    schemaVersion: Number(schemaVersion),
    exact: parseArray(exact),
    filter:
      mode === 'columns' || mode === 'except' ? { mode, columns: parseArray(filtered) } : null,
    known: parseArray(known),
    key,
  }
}

/** Writes a `text[]` that begins at 0, as `tg_argv` does. */
export function argumentsArray(capture: CaptureArguments): string {
  const values = encodeArguments(capture)
  return `[0:${values.length - 1}]=${arrayText(values)}`
}

/** Writes a `text[]`, every element in quotes. */
function arrayText(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`
}

/** Reads what {@link arrayText} wrote. */
function parseArray(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, value = '']) =>
    value.replaceAll(/\\(.)/gs, '$1'),
  )
}
