Feature: Finding what was meant
  A workspace can correct a question's spelling, know other names of things, search a compound
  question by its parts, and bring what stands around a hit; what was understood is told.

  Background:
    Given a deployment with "RAG_KEYWORDS__KIND" set to "tantivy"
    And a workspace with these documents
      | source_id            | text                                                               |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.                        |
      | policies/leave.txt   | Paid time off is granted for 25 days a year.                       |
      | runbooks/e1042.txt   | Error E1042 means that the payment gateway rejected the signature. |

  Scenario Outline: The kind of a question is told, and why
    When I search by keywords for "<question>"
    Then the question was understood as a <kind>: "<why>"

    Examples:
      | question                                          | kind     | why                       |
      | How fast are refunds paid?                        | question | ends with a question mark |
      | payment gateway                                   | lookup   | names something           |
      | How fast are refunds paid, and who approves them? | compound | asks 2 things             |

  Scenario: An answer tells what its question was understood as
    When I ask "How fast are refunds paid?"
    Then the answer's question was understood as a question

  Scenario: A misspelled word finds nothing, unless the workspace corrects it
    When I search by keywords for "signatrue"
    Then there are no hits
    When I change the configuration: spelling corrected
    And I search by keywords for "signatrue"
    Then the first hit is "runbooks/e1042.txt"
    And "signatrue" was read as "signature"

  Scenario: No word is corrected to one of a document that the caller may not see
    Given a document "board/merger.txt" that only the board sees, saying "Project Xylograph is the merger."
    When I change the configuration: spelling corrected
    And I search by keywords for "xylografh"
    Then there are no hits
    And nothing was corrected

  Scenario: A thing is found by its other names
    When I search by keywords for "PTO"
    Then there are no hits
    When I change the configuration: synonyms of paid time off
    And I search by keywords for "PTO"
    Then the first hit is "policies/leave.txt"

  Scenario: A spelling that the keyword index cannot correct is refused
    Given a deployment with "RAG_KEYWORDS__KIND" set to "rank-bm25"
    And a workspace with these documents
      | source_id | text  |
      | a.txt     | Text. |
    When I change the configuration: spelling corrected
    Then it is refused with 422 and the code "no_speller"

  Scenario: A hit brings its neighbours
    Given a document "handbook.txt" of sections about hotels, parking and lunch
    When I change the configuration: one neighbour
    And I search by keywords for "parking"
    Then the hits in order are about parking, hotels and lunch
    And the hits after the first are its neighbours
