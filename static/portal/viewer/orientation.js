// Which side of the patient is where: the letters at the edges move with every turn and flip.

const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };
const SIDES = ["left", "top", "right", "bottom"];

export class OrientationMarks {
  constructor(root) {
    this.edges = Object.fromEntries(SIDES.map((side) => [side, root.querySelector(`[data-edge=${side}]`)]));
    // Where the header is silent: frontal views are hung so that the patient faces the reader. Brackets say "assumed".
    this.letters = "frontal" in root.dataset ? { left: "(R)", right: "(L)" } : {};
  }

  /** @param {string[]} stated Directions of the rows and of the columns, as in DICOM's Patient Orientation. */
  learn([across, down]) {
    if (!across) return;
    const opposite = (letters) => [...letters].map((letter) => OPPOSITE[letter]).join("");
    this.letters = { left: opposite(across), right: across, top: opposite(down), bottom: down };
  }

  draw(view) {
    for (const side of SIDES) this.edges[view.sideOf(side)].textContent = this.letters[side] ?? "";
  }
}
