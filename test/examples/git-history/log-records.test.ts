import { expect, test } from 'vitest'
import { createCommitBuilder } from '../../../examples/git-history/commit-builder.ts'
import { createRecordSplitter } from '../../../examples/git-history/log-records.ts'

const HASH = 'a'.repeat(40)

const ZEROS = '0'.repeat(40)

/** Two commits; in the first, whatever can look like something else does. */
const OUTPUT = [
  [`commit ${HASH}`, '', '1600000000', 'commit x', ':a@b', '1\t2\tsubject'],
  [`\n:100644 100644 ${ZEROS} ${ZEROS} M`, `commit ${HASH}`],
  [`:100644 100644 ${ZEROS} ${ZEROS} R086`, ':100644 M', '\nnew'],
  [`:000000 100644 ${ZEROS} ${ZEROS} A`, 'tab\t'],
  [`:000000 100644 ${ZEROS} ${ZEROS} C100`, 'source', 'copy'],
  [`:100644 120000 ${ZEROS} ${ZEROS} T`, 'type'],
  [`:100644 100755 ${ZEROS} ${ZEROS} M`, 'left out'],
  [`:100644 000000 ${ZEROS} ${ZEROS} D`, 'binary'],
  [`1\t2\tcommit ${HASH}`],
  ['3\t4\t', ':100644 M', '\nnew'],
  ['5\t0\ttab\t'],
  ['6\t0\t', 'source', 'copy'],
  ['1\t1\ttype'],
  ['-\t-\tbinary'],
  [`commit ${HASH}`, `${HASH} ${HASH} ${HASH}`, '', '', '', ''],
]

test.each([1, 2, 3, 7, 64, 1000, 100_000])('reads output in chunks of %i bytes', (size) => {
  const [first, second] = read(bytesOf(OUTPUT), size)
  expect(first).toMatchObject({ parents: [], authorName: 'commit x', subject: '1\t2\tsubject' })
  expect(
    first?.files.map(({ kind, previousPath, path, additions, deletions }) => {
      return [kind, previousPath, path, additions, deletions]
    }),
  ).toEqual([
    ['modified', undefined, `commit ${HASH}`, 1, 2],
    ['renamed', ':100644 M', '\nnew', 3, 4],
    ['added', undefined, 'tab\t', 5, 0],
    ['added', undefined, 'copy', 6, 0],
    ['modified', undefined, 'type', 1, 1],
    ['modified', undefined, 'left out', 0, 0],
    ['deleted', undefined, 'binary', null, null],
  ])
  expect(second).toMatchObject({ parents: [HASH, HASH, HASH], subject: '', files: [] })
  expect(second?.authoredAt).toEqual(new Date(0))
})

test.each([
  [['1\t2\tnot in the raw lines'], '"1\\t2\\tnot in the raw lines"'],
  [[`:100644 100644 ${ZEROS} ${ZEROS} X`, 'path'], `":100644 100644 ${ZEROS} ${ZEROS} X"`],
  [['what is\tthis?'], '"what is\\tthis?"'],
])('refuses %j, and names it', (record, named) => {
  const output = bytesOf([OUTPUT[0] ?? [], record, ['', '']])
  const message = `git wrote a line that was not understood: ${named}`
  expect(() => read(output, 100_000)).toThrow(new Error(message))
})

function bytesOf(records: readonly (readonly string[])[]): Buffer {
  return Buffer.from(records.flatMap((fields) => fields.map((field) => `${field}\0`)).join(''))
}

function read(output: Buffer, size: number) {
  const splitter = createRecordSplitter()
  const builder = createCommitBuilder()
  const starts = Array.from({ length: Math.ceil(output.length / size) }, (_, index) => index * size)
  const records = starts.flatMap((start) => splitter.push(output.subarray(start, start + size)))
  expect(splitter.isComplete()).toBe(true)
  const commits = [...records.map(builder.add), builder.finish()]
  return commits.filter((commit) => commit !== undefined)
}
