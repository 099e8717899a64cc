Feature: Saying that the documents do not say
  A question that the documents do not answer gets no invented answer.

  Background:
    Given a workspace with these documents
      | source_id             | text                                                                                                           |
      | policies/refunds.txt  | Refunds are paid within 7 days of purchase. A refund goes back to the payment method that was used.            |
      | policies/travel.txt   | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days of the journey.                   |
      | policies/remote.txt   | Employees may work remotely three days a week. Work from abroad needs the consent of human resources.          |
      | runbooks/e1042.txt    | Error E1042 means that the payment gateway rejected the signature. Rotate the signing key to clear it.         |

  Scenario Outline: A question that no document answers
    When I ask "<question>"
    Then the answer is that the documents do not say
    And no source is cited

    Examples:
      | question                                           |
      | What is the capital of Mongolia?                   |
      | Who painted the ceiling of the Sistine Chapel?     |
      | What does error E2077 mean on the warehouse robot? |
      | What is the dosage of ibuprofen for children?      |

  Scenario: A workspace without documents answers nothing
    Given an empty workspace
    When I ask "How fast are refunds paid?"
    Then the answer is that the documents do not say
    And the answer has at most 0 sources

  Scenario: A stream abstains in the same words
    When I ask "What is the capital of Mongolia?" as a stream, by the field stream
    Then the answer is that the documents do not say
    And the tokens together are the answer

  Scenario: Filters that leave nothing leave nothing to say
    When I ask "How fast are refunds paid?" where department eq "nobody"
    Then the answer is that the documents do not say
    And the answer has at most 0 sources

  Scenario: An abstention gives way when the document arrives
    When I ask "What does the canteen charge for soup?"
    Then the answer is that the documents do not say
    When I upload "faq/canteen.txt" saying "The canteen charges 3 EUR for soup."
    And I ask "What does the canteen charge for soup?"
    Then the answer says "3 EUR"
