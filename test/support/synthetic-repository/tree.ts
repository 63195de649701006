import type { ByteString } from './odd-names.ts'
import type { Random } from './random.ts'

/** One file in one state. Never changed in place, so trees can share it. */
export interface FileState {
  readonly mode: '100644' | '100755' | '120000' | '160000'
  /** Of a submodule (mode 160000) the id of its commit. */
  readonly content: ByteString
}

/** What a commit does to one path: its new state, or undefined where it is deleted. */
export interface Change {
  readonly path: ByteString
  readonly state: FileState | undefined
}

/** All files of one line of development, with what changed since the last commit in it. */
export interface Tree {
  readonly files: Map<ByteString, FileState>
  /** Every path that is or was in `files`, for drawing one in constant time. */
  readonly names: ByteString[]
  readonly before: Map<ByteString, FileState | undefined>
}

/**
 * A file that becomes a directory, and a file again. Only the main line touches it, and it is never
 * drawn: else a merge could have the file and the directory at once.
 */
export const SWAPPED_PATH: ByteString = 'swapped'

/** Makes a tree without files, or a copy of another as its last commit left it. */
export function createTree(from?: Tree): Tree {
  return { files: new Map(from?.files), names: [...(from?.names ?? [])], before: new Map() }
}

/** Sets a path's state; undefined deletes it. */
export function write(tree: Tree, path: ByteString, state: FileState | undefined): void {
  const current = tree.files.get(path)
  if (!tree.before.has(path)) tree.before.set(path, current)
  if (state === undefined) {
    tree.files.delete(path)
    return
  }
  tree.files.set(path, state)
  if (current === undefined) tree.names.push(path)
}

/** Returns what changed since the last call, deletions first: a file may become a directory. */
export function takeChanges(tree: Tree): Change[] {
  const changes: Change[] = []
  for (const [path, before] of tree.before) {
    const state = tree.files.get(path)
    if (!isSame(state, before)) changes.push({ path, state })
  }
  tree.before.clear()
  return changes.sort((a, b) => Number(a.state !== undefined) - Number(b.state !== undefined))
}

/** Applies what `side` changed since `base`, except where `tree` has changed the same path. */
export function mergeInto(
  tree: Tree,
  side: ReadonlyMap<ByteString, FileState>,
  base: ReadonlyMap<ByteString, FileState>,
): void {
  for (const path of new Set([...base.keys(), ...side.keys()])) {
    const changed = side.get(path) !== base.get(path)
    if (changed && tree.files.get(path) === base.get(path)) write(tree, path, side.get(path))
  }
}

/** Draws a path that exists; old paths come more often. Undefined when the tree is empty. */
export function pickPath(tree: Tree, random: Random): ByteString | undefined {
  while (tree.names.length > 0) {
    const index = random.skewed(tree.names.length)
    const path = tree.names[index] ?? ''
    if (tree.files.has(path) && !path.startsWith(SWAPPED_PATH)) return path
    const last = tree.names.pop()
    if (last !== undefined && index < tree.names.length) tree.names[index] = last
  }
  return undefined
}

function isSame(a: FileState | undefined, b: FileState | undefined): boolean {
  return a === b || (a?.mode === b?.mode && a?.content === b?.content)
}
