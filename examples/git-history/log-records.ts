const NUL = 0x00
const TAB = 0x09
const NEWLINE = 0x0a
const COLON = 0x3a
const LETTER_C = 0x63

/** Fields that follow the one with the hash: parents, time, name, e-mail, subject. */
const COMMIT_FIELDS = 5

/**
 * The `--format` that {@link createRecordSplitter} takes apart. Its first letter, `c`, begins no
 * diff line: `--raw` lines begin with a colon, `--numstat` lines with a digit or a dash.
 */
export const COMMIT_FORMAT = 'commit %H%x00%P%x00%at%x00%an%x00%ae%x00%s'

/** One record of git's output: what it says first, and the fields that belong to it. */
export type LogRecord = readonly [head: Buffer, ...fields: Buffer[]]

/** Takes git's output in pieces of any size and gives back the records that are complete. */
export interface RecordSplitter {
  /** The records share memory with `chunk`. */
  push(chunk: Buffer): LogRecord[]
  /** Whether the output so far ends between two records. */
  isComplete(): boolean
}

/**
 * Splits the output of `git log -z --raw --numstat --format=…` into records. Everything in it ends
 * with NUL, and NUL occurs in no name, path or subject. A record's head says how many fields
 * follow, so what a path or subject looks like never matters.
 */
export function createRecordSplitter(): RecordSplitter {
  let rest: Buffer = Buffer.alloc(0)
  let record: [Buffer, ...Buffer[]] | undefined
  let missing = 0

  function take(token: Buffer): LogRecord | undefined {
    if (record !== undefined) {
      record.push(token)
      missing -= 1
    } else {
      const head = withoutSeparator(token)
      if (head.length === 0) return undefined
      record = [head]
      missing = fieldsAfter(head)
    }
    if (missing > 0) return undefined
    const complete = record
    record = undefined
    return complete
  }

  return {
    push(chunk) {
      const records: LogRecord[] = []
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let start = 0
      // The rest of the last chunk is known to hold no NUL.
      let end = bytes.indexOf(NUL, rest.length)
      while (end !== -1) {
        const complete = take(bytes.subarray(start, end))
        if (complete !== undefined) records.push(complete)
        start = end + 1
        end = bytes.indexOf(NUL, start)
      }
      rest = bytes.subarray(start)
      return records
    },
    isComplete: () => record === undefined && rest.length === 0,
  }
}

/** Whether the record begins a commit. */
export function isCommit([head]: LogRecord): boolean {
  return head[0] === LETTER_C
}

/** Whether the record is a `--raw` line with its paths. */
export function isRaw([head]: LogRecord): boolean {
  return head[0] === COLON
}

/** Git writes one newline between a commit's message and its first diff line, even with `-z`. */
function withoutSeparator(token: Buffer): Buffer {
  return token[0] === NEWLINE ? token.subarray(1) : token
}

function fieldsAfter(head: Buffer): number {
  if (head[0] === LETTER_C) return COMMIT_FIELDS
  if (head[0] === COLON) return /[RC]\d*$/.test(head.toString('latin1')) ? 2 : 1
  return hasPath(head) ? 0 : 2
}

/** A `--numstat` line holds its path, unless there are two, which then follow as fields. */
function hasPath(numstat: Buffer): boolean {
  const secondTab = numstat.indexOf(TAB, numstat.indexOf(TAB) + 1)
  return secondTab < numstat.length - 1
}
