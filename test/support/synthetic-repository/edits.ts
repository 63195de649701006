import { binaryContent, editText, ordinaryPath, textContent } from './content.ts'
import { type ByteString, ODD_PATHS } from './odd-names.ts'
import type { Random } from './random.ts'
import { type FileState, pickPath, SWAPPED_PATH, type Tree, write } from './tree.ts'

const EDIT_WEIGHTS = {
  modify: 700,
  add: 130,
  delete: 40,
  rename: 30,
  renameAndModify: 30,
  copy: 15,
  addBinary: 12,
  mode: 10,
  type: 8,
  symlink: 6,
  submodule: 4,
}

type Edit = (tree: Tree, random: Random) => void

const EDITS: Readonly<Record<keyof typeof EDIT_WEIGHTS, Edit>> = {
  add,
  modify: (tree, random) => change(tree, random, (state) => modified(state, random)),
  delete: (tree, random) => {
    const path = pickPath(tree, random)
    if (path !== undefined) write(tree, path, undefined)
  },
  rename: (tree, random) => move(tree, random, (state) => state),
  renameAndModify: (tree, random) => move(tree, random, (state) => modified(state, random)),
  copy: (tree, random) => {
    const source = tree.files.get(pickPath(tree, random) ?? '')
    if (source !== undefined) write(tree, freePath(tree, random), source)
  },
  addBinary: (tree, random) =>
    write(tree, freePath(tree, random), { mode: '100644', content: binaryContent(random) }),
  mode: (tree, random) =>
    change(tree, random, ({ mode, content }) => ({
      mode: mode === '100644' ? '100755' : '100644',
      content,
    })),
  type: (tree, random) => change(tree, random, () => symlink(random)),
  symlink: (tree, random) => write(tree, freePath(tree, random), symlink(random)),
  submodule: (tree, random) => write(tree, freePath(tree, random), submodule(random)),
}

/** Makes the changes of one ordinary commit: mostly a few, sometimes some dozens. */
export function editFiles(tree: Tree, random: Random): void {
  for (let left = 1 + random.skewed(random.chance(0.02) ? 60 : 8); left > 0; left -= 1) {
    const edit = tree.files.size === 0 ? add : EDITS[random.weighted(EDIT_WEIGHTS)]
    edit(tree, random)
  }
}

/** Adds every odd path that is not there. */
export function addOddPaths(tree: Tree, random: Random): void {
  for (const path of ODD_PATHS) {
    if (!tree.files.has(path)) write(tree, path, textFile(random))
  }
}

/** Replaces a file by a directory of the same name, or that by a file. */
export function swapFileAndDirectory(tree: Tree, random: Random): void {
  const isFile = tree.files.has(SWAPPED_PATH)
  write(tree, SWAPPED_PATH, isFile ? undefined : textFile(random))
  write(tree, `${SWAPPED_PATH}/inside`, isFile ? textFile(random) : undefined)
}

/** Adds a directory of many small files, as for a vendored library. */
export function addDirectory(tree: Tree, directory: ByteString, count: number): void {
  for (let number = 0; number < count; number += 1) {
    const content = `one of many\nnumber ${number}\nof ${directory}\n`
    write(tree, `${directory}/${number % 50}/file-${number}.c`, { mode: '100644', content })
  }
}

/** Renames a directory; every tenth file also changes. */
export function renameDirectory(tree: Tree, from: ByteString, to: ByteString): void {
  for (const [path, state] of [...tree.files].filter(([name]) => name.startsWith(`${from}/`))) {
    const isTenth = path.endsWith('0.c')
    write(tree, path, undefined)
    write(tree, to + path.slice(from.length), isTenth ? appended(state, 'moved\n') : state)
  }
}

/** Appends a line to many files at once, as for a new licence. */
export function appendToFiles(tree: Tree, count: number, line: ByteString): void {
  const plain = [...tree.files].filter(([, state]) => state.mode === '100644')
  for (const [path, state] of plain.slice(0, count)) write(tree, path, appended(state, line))
}

function add(tree: Tree, random: Random): void {
  write(tree, freePath(tree, random), textFile(random))
}

function change(tree: Tree, random: Random, next: (state: FileState) => FileState): void {
  const path = random.chance(0.04) ? random.pick(ODD_PATHS) : pickPath(tree, random)
  const state = path === undefined ? undefined : tree.files.get(path)
  if (path !== undefined && state !== undefined) write(tree, path, next(state))
}

function move(tree: Tree, random: Random, next: (state: FileState) => FileState): void {
  const path = random.chance(0.1) ? random.pick(ODD_PATHS) : pickPath(tree, random)
  const state = path === undefined ? undefined : tree.files.get(path)
  if (path === undefined || state === undefined) return
  const target = freePath(tree, random)
  write(tree, path, undefined)
  write(tree, target, next(state))
}

/** Draws a path that is free, odd ones included. One that was deleted may come again. */
function freePath(tree: Tree, random: Random): ByteString {
  const odd = random.pick(ODD_PATHS)
  if (random.chance(0.3) && !tree.files.has(odd)) return odd
  let path = ordinaryPath(random)
  while (tree.files.has(path)) path = ordinaryPath(random)
  return path
}

function modified(state: FileState, random: Random): FileState {
  if (state.mode === '160000') return submodule(random)
  if (state.mode === '120000') return symlink(random)
  if (state.content.includes('\0')) {
    return { mode: state.mode, content: state.content.slice(0, 400) + binaryContent(random) }
  }
  return { mode: state.mode, content: editText(state.content, random) }
}

function appended(state: FileState, line: ByteString): FileState {
  const isFile = state.mode === '100644' || state.mode === '100755'
  return isFile ? { mode: state.mode, content: state.content + line } : state
}

function textFile(random: Random): FileState {
  return { mode: '100644', content: textContent(random) }
}

function symlink(random: Random): FileState {
  return { mode: '120000', content: `../${ordinaryPath(random)}` }
}

function submodule(random: Random): FileState {
  const digits = Array.from({ length: 40 }, () => '0123456789abcdef'.charAt(random.below(16)))
  return { mode: '160000', content: digits.join('') }
}
