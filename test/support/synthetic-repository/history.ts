import { type CommitTimes, createCalendar } from './calendar.ts'
import { ordinaryMessage, word } from './content.ts'
import {
  addDirectory,
  addOddPaths,
  appendToFiles,
  editFiles,
  renameDirectory,
  swapFileAndDirectory,
} from './edits.ts'
import { type Author, type ByteString, ODD_MESSAGES } from './odd-names.ts'
import { createPeople } from './people.ts'
import { createRandom, type Random } from './random.ts'
import {
  type Change,
  createTree,
  type FileState,
  mergeInto,
  type Tree,
  takeChanges,
} from './tree.ts'

/** One commit, ready to be written. */
export interface HistoryCommit {
  /** From 1, in the order of writing. */
  readonly number: number
  readonly branch: string
  readonly parents: readonly number[]
  readonly author: Author
  readonly times: CommitTimes
  readonly message: ByteString
  /** Against the first parent. */
  readonly changes: readonly Change[]
}

export interface HistoryOptions {
  /** How many commits HEAD shall reach. */
  readonly commits: number
  readonly seed: number
  /** People, besides the odd ones. */
  readonly authors: number
  /** Files in each of the three biggest commits. */
  readonly files: number
}

/** A line of development. */
interface Line {
  readonly name: string
  readonly tree: Tree
  tip: number | undefined
  /** The files of the main line when the two were last the same. */
  base: ReadonlyMap<ByteString, FileState>
}

interface State {
  readonly random: Random
  readonly main: Line
  readonly sides: Line[]
  readonly bigCommits: ReadonlyMap<number, (tree: Tree) => void>
  readonly commits: number
}

/** What one step decides; the rest of the commit is drawn. */
interface Step {
  readonly line: Line
  readonly merged?: readonly Line[]
}

const STEP_WEIGHTS = { main: 48, side: 30, open: 10, merge: 8, update: 1, empty: 2, swap: 1 }

const MAX_OPEN_SIDES = 6

/** How often a message is odd. */
const ODD_SHARE = 0.08

/**
 * Makes up the history of a project, commit by commit: a main line, branches from it that are
 * merged one or several at a time, and some with a root of their own. After the commits that HEAD
 * reaches come two on a branch that is never merged.
 */
export function* createHistory(options: HistoryOptions): Generator<HistoryCommit, void, undefined> {
  const random = createRandom(options.seed)
  const state: State = {
    random,
    main: { name: 'main', tree: createTree(), tip: undefined, base: new Map() },
    sides: [],
    bigCommits: planBigCommits(options),
    commits: options.commits,
  }
  const nextAuthor = createPeople(options.authors, random)
  const nextTimes = createCalendar(random)
  const nextMessage = createMessages(random)
  for (let number = 1; number <= options.commits + 2; number += 1) {
    const { line, merged = [] } = nextStep(state, number)
    yield {
      number,
      branch: line.name,
      parents: [line, ...merged].flatMap(({ tip }) => tip ?? []),
      author: nextAuthor(),
      times: nextTimes(),
      message: merged.length > 0 ? mergeMessage(merged) : nextMessage(),
      changes: takeChanges(line.tree),
    }
    line.tip = number
  }
}

function planBigCommits({ commits, files }: HistoryOptions): Map<number, (tree: Tree) => void> {
  return new Map([
    [Math.floor(commits * 0.3), (tree) => addDirectory(tree, 'vendor', files)],
    [Math.floor(commits * 0.55), (tree) => appendToFiles(tree, files, 'all rights reserved\n')],
    [Math.floor(commits * 0.8), (tree) => renameDirectory(tree, 'vendor', 'third-party')],
  ])
}

function nextStep(state: State, number: number): Step {
  const { random, main, sides, commits } = state
  if (number > commits) return abandon(state)
  if (number === commits && sides.length > 0) return merge(state, sides.length)
  if (number <= 2) {
    if (number === 2) addOddPaths(main.tree, random)
    for (let batch = 0; batch < 10; batch += 1) editFiles(main.tree, random)
    return { line: main }
  }
  const big = state.bigCommits.get(number)
  if (big !== undefined) {
    big(main.tree)
    return { line: main }
  }
  if (number === Math.floor(commits / 2)) return openUnrelated(sides, number)
  return ordinaryStep(state, number)
}

function ordinaryStep(state: State, number: number): Step {
  const { random, main, sides, commits } = state
  const side = sides[random.below(sides.length)]
  switch (random.weighted(STEP_WEIGHTS)) {
    case 'open':
      return number < commits - 1 && sides.length < MAX_OPEN_SIDES
        ? open(state, number)
        : edit(main, random)
    case 'merge':
      return side ? merge(state, random.chance(0.1) ? 4 : 1) : edit(main, random)
    case 'update':
      return side ? update(main, side) : edit(main, random)
    case 'side':
      return edit(side ?? main, random)
    case 'empty':
      return { line: side ?? main }
    case 'swap':
      swapFileAndDirectory(main.tree, random)
      return { line: main }
    case 'main':
      return edit(main, random)
  }
}

function edit(line: Line, random: Random): Step {
  editFiles(line.tree, random)
  return { line }
}

/** Starts a branch at the main line's tip; now and then one that shares nothing with it. */
function open({ random, main, sides }: State, number: number): Step {
  const name = `topic/${word(random)}-${number}`
  if (random.chance(0.03)) return openUnrelated(sides, number)
  const line = { name, tree: createTree(main.tree), tip: main.tip, base: new Map(main.tree.files) }
  sides.push(line)
  return edit(line, random)
}

/** Starts a branch with a root of its own, as when one project takes in another. */
function openUnrelated(sides: Line[], number: number): Step {
  const name = `import-${number}`
  const line: Line = { name, tree: createTree(), tip: undefined, base: new Map() }
  addDirectory(line.tree, `imported-${number}`, 40)
  sides.push(line)
  return { line }
}

/** Merges up to `count` branches into the main line and ends them. */
function merge({ random, main, sides }: State, count: number): Step {
  const first = count < sides.length ? random.below(sides.length - count + 1) : 0
  const merged = sides.splice(first, count)
  for (const side of merged) mergeInto(main.tree, side.tree.files, side.base)
  return { line: main, merged }
}

/** Merges the main line into a branch, which goes on. */
function update(main: Line, side: Line): Step {
  mergeInto(side.tree, main.tree.files, side.base)
  side.base = new Map(main.tree.files)
  return { line: side, merged: [main] }
}

function abandon({ random, main, sides }: State): Step {
  const [line = { ...main, name: 'abandoned', tree: createTree(main.tree) }] = sides
  if (sides.length === 0) sides.push(line)
  return edit(line, random)
}

function createMessages(random: Random): () => ByteString {
  let turns = 0
  return () => {
    if (!random.chance(ODD_SHARE)) return ordinaryMessage(random)
    turns += 1
    return ODD_MESSAGES[turns % ODD_MESSAGES.length] ?? ''
  }
}

function mergeMessage(merged: readonly Line[]): ByteString {
  const names = merged.map(({ name }) => `'${name}'`).join(', ')
  return `Merge ${merged.length > 1 ? 'branches' : 'branch'} ${names}\n`
}
